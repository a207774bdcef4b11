"""Context Prediction: where one part of an image lies as seen from another."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.methods.pretext.parts import Arrangement
from seqclr.methods.registry import register
from seqclr.transforms.context import ContextPair, offset_names, part_size


@register("context_prediction", paper="Doersch et al. 2015, arXiv:1505.05192")
@dataclass
class ContextPrediction(Arrangement):
    """Doersch et al. 2015, arXiv:1505.05192. Which of its eight neighbours a patch is shown with, or of a line, how far
    and on which side the second of two slices lies.

    The grid is as large as the shorter side, and patch, gap and jitter are to its step as in the paper: 96, 48 and 7 to
    144 pixels. Where that leaves fewer than 10, in images of up to 44, the patch is larger and the gap 1 to 2.
    """

    transform = ContextPair

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.offset_names = offset_names(encoder.height, encoder.width)
        self.check_takes(*part_size(encoder.height, encoder.width), "parts")
        self.make_head(2, len(self.offset_names))

    def preview_inputs(self, batch):
        first, second = batch["tiles"].swapaxes(0, 1)
        return {"first": first, "second": second, "answer": [self.offset_names[label] for label in batch["label"]]}
