"""Context prediction: the relative position of two parts of an image."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.methods.pretext.parts import Arrangement
from seqclr.methods.registry import register
from seqclr.transforms.context import ContextPair, offset_names, part_size


@register("context_prediction", paper="Doersch et al. 2015, arXiv:1505.05192")
@dataclass
class ContextPrediction(Arrangement):
    """Classification of the relative position of two patches (Doersch et al. 2015, arXiv:1505.05192): one of eight
    neighbours in an image; in a line, the distance and side of the second of two slices.

    The grid is as large as the shorter side. Patch, gap and jitter have the paper's proportions to a grid cell: 96, 48
    and 7 to 144 pixels. Where a patch would have fewer than 10 pixels, in images of up to 44, it is larger and the gap
    is 1 to 2 pixels.
    """

    transform = ContextPair

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.offset_names = offset_names(encoder.height, encoder.width)
        self.check_accepts(*part_size(encoder.height, encoder.width), "parts")
        self.make_head(2, len(self.offset_names))

    def preview_inputs(self, batch):
        first, second = batch["tiles"].swapaxes(0, 1)
        return {"first": first, "second": second, "target": [self.offset_names[label] for label in batch["label"]]}
