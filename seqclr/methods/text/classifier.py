"""Supervised classification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from seqclr.config import key
from seqclr.errors import UserError
from seqclr.methods.clustering.surrogate import Surrogate
from seqclr.methods.registry import register


@register("classifier", paper="Asano et al. 2020, arXiv:1911.05371")
@dataclass
class Classifier(Surrogate):
    """Supervised classification, where the text of an image is the name of its class.

    With pseudo-labels of another method (`seqclr pseudo-labels`) it is the label transfer of SeLa (Asano et al. 2020,
    arXiv:1911.05371): an encoder of any architecture is trained on the classes that another encoder found.
    """

    line_defaults: ClassVar[dict] = {}  # the image is one instance

    frames: str = key("all", "instance mapping; with all, the image is one instance", free=True)

    def prepare(self, samples):
        super().prepare(samples)
        missing = next((sample.name for sample in samples if not sample.text), None)
        if missing:
            raise UserError(f"{missing} has no label, which method=classifier needs: give it in labels.csv")
        self.texts = [sample.text for sample in samples]
        if len(set(self.texts)) < 2:
            raise UserError(f"all labels are '{self.texts[0]}': at least two classes are needed")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        names, labels = np.unique(self.texts, return_inverse=True)
        self.make_head(len(names))
        self.make_labels(np.repeat(labels.reshape(-1, 1), self.windows(), axis=1))
