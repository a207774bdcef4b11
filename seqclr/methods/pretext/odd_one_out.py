"""Odd-one-out: the clip whose frames are out of order."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.losses.common import classification
from seqclr.methods.pretext.ordered import Ordered
from seqclr.methods.registry import register
from seqclr.transforms.order import OddOneOut as Clips


@register("odd_one_out", paper="Fernando et al. 2017, arXiv:1611.06646")
@dataclass
class OddOneOut(Ordered):
    """Classification of the clip whose frames are out of order (O3N, Fernando et al. 2017, arXiv:1611.06646).

    A clip is one image, the sum of the differences of its frames, which any encoder accepts (the paper's stack of
    differences needs an encoder with 15 channels), or slices of a line side by side. The head sees the sum of the
    differences of the clips' features.
    """

    transform = Clips
    clips: int = key(
        6, "number of clips, one of which is out of order; clips of a line are groups of slices", least=2, most=100
    )
    clip_frames: int = key(6, "frames in a clip, at most half of the sequence", least=3, most=1000)

    def make_transform(self, views):
        return Clips(views, self.clips, self.clip_frames)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.chance = 1 / self.clips
        self.make_head(encoder.dim, self.clips, slices=3)

    def loss(self, batch, training):
        weights = tf.cast(2 * tf.range(self.clips) - (self.clips - 1), tf.float32)  # of the sum over all pairs of clips
        fused = tf.einsum("n,bnd->bd", weights, self.features(batch, training))
        return classification(self.logits(fused, training), batch["label"])

    def preview_inputs(self, batch):
        return {**super().preview_inputs(batch), "target": [f"clip {i + 1}" for i in batch["label"]]}
