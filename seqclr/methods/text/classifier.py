"""Supervised classification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from seqclr.config import key
from seqclr.methods.clustering.surrogate import Surrogate
from seqclr.methods.registry import register
from seqclr.methods.text.labels import texts_of


@register("classifier", paper="Asano et al. 2020, arXiv:1911.05371")
@dataclass
class Classifier(Surrogate):
    """Supervised classification, where the text of an image is the name of its class.

    With pseudo-labels of another method (`seqclr pseudo-labels`) it is the label transfer of SeLa (Asano et al. 2020,
    arXiv:1911.05371): an encoder of any architecture is trained on the classes that another encoder found.
    """

    uses_labels = True
    line_defaults: ClassVar[dict] = {}  # the image is one instance

    frames: str = key("all", "instance mapping; with all, the image is one instance", free=True)

    def prepare(self, samples):
        super().prepare(samples)
        self.texts = texts_of(samples, "classifier")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        names, labels = np.unique(self.texts, return_inverse=True)
        self.make_head(len(names))
        self.make_labels(np.repeat(labels.reshape(-1, 1), self.windows(), axis=1))
