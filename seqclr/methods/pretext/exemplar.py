"""Exemplar-CNN: every image is a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from seqclr.config import SIDE, key
from seqclr.data.dataset import RandomSubset
from seqclr.errors import UserError
from seqclr.methods.clustering.surrogate import Surrogate, check_classes
from seqclr.methods.registry import register
from seqclr.transforms.patches import ExemplarPatch

MOST = 32_000  # classes; the paper got worse results with more


@register("exemplar", paper="Dosovitskiy et al. 2014, arXiv:1406.6909")
@dataclass
class Exemplar(Surrogate):
    """Classification of distorted patches by the image that they come from (Dosovitskiy et al. 2014, arXiv:1406.6909).

    The paper has 100 to 150 samples of each class and more: in a short run, take few classes.
    """

    defaults: ClassVar[dict] = {"views": "none"}  # the patch has distortions of its own
    line_defaults: ClassVar[dict] = {}  # the patch is one instance

    frames: str = key("all", "instance mapping: all, the patch is one instance", choices=("all",))
    patch: int = key(32, "side of a patch in pixels, at most that of an image", **SIDE)
    exemplars: int | None = key(None, "images that are classes, sampled at random; by default all", least=2, most=MOST)

    def make_transform(self, views):
        return ExemplarPatch(views, self.patch)

    def records(self, dataset):
        if self.exemplars is None:
            return dataset
        check_classes("exemplars", self.exemplars, len(dataset))
        return RandomSubset(dataset, self.exemplars)

    def prepare(self, samples):
        super().prepare(samples)
        if self.image_count > MOST:
            raise UserError(f"{self.image_count} images are as many classes, more than {MOST}: set exemplars")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        side = min(self.patch, encoder.height, encoder.width)
        self.check_accepts(side, side, "patches")
        self.make_head(self.image_count)
        self.make_labels(np.arange(self.image_count)[:, None])
