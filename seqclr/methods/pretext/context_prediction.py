"""Context prediction: the relative position of two parts of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from seqclr.methods.pretext.parts import Arrangement
from seqclr.methods.registry import register
from seqclr.transforms.context import ContextParts, adjacent, offset_names, part_size

STRIDE = 7  # between the pairs that a preview shows


@register("context_prediction", paper="Doersch et al. 2015, arXiv:1505.05192")
@dataclass
class ContextPrediction(Arrangement):
    """Classification of the relative position of two patches (Doersch et al. 2015, arXiv:1505.05192): one of eight
    neighbours in an image; in a line, the distance and side of the second of two slices.

    As in the authors' code, all neighbours in a grid of patches are pairs: nine patches are encoded for 40 pairs. The
    grid is as large as the shorter side. Patch, gap and jitter have the paper's proportions to a grid cell: 96, 48 and
    7 to 144 pixels. Where a patch would have fewer than 10 pixels, in images of up to 44, it is larger and the gap is 1
    to 2 pixels.
    """

    transform = ContextParts

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.offset_names = offset_names(encoder.height, encoder.width)
        self.pairs = adjacent(encoder.height, encoder.width)
        self.check_accepts(*part_size(encoder.height, encoder.width), "parts")
        self.make_head(2, len(self.offset_names))

    def loss(self, batch, training):
        features = self.embed_parts(batch["tiles"], training)
        pairs = [tf.gather(features, self.pairs[:, part], axis=1) for part in (0, 1)]
        together = tf.concat(pairs, axis=-1)
        return self.classify(tf.reshape(together, [-1, 1, together.shape[-1]]), batch, training)

    def preview_inputs(self, batch):
        rows = np.arange(len(batch["tiles"]))
        shown = rows * STRIDE % len(self.pairs)  # one pair of each image
        first, second = (batch["tiles"][rows, self.pairs[shown, part]] for part in (0, 1))
        return {"first": first, "second": second, "target": [self.offset_names[x] for x in batch["label"][rows, shown]]}
