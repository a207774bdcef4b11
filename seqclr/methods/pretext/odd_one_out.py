"""Odd-one-out: the clip whose frames are out of order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from seqclr.config import key
from seqclr.data.sequences import Sequences
from seqclr.errors import UserError
from seqclr.losses.common import classification
from seqclr.methods.pretext.ordered import Ordered
from seqclr.methods.registry import register
from seqclr.transforms.order import CLIP_IMAGES
from seqclr.transforms.order import OddOneOut as Clips
from seqclr.transforms.tiles import is_line


@register("odd_one_out", paper="Fernando et al. 2017, arXiv:1611.06646")
@dataclass
class OddOneOut(Ordered):
    """Classification of the clip whose frames are out of order (O3N, Fernando et al. 2017, arXiv:1611.06646).

    A clip is one image: the sum of the differences of its frames, the stack of the differences of neighbours, which
    needs an encoder with 3 channels for each (15 for 6 frames, as in the paper), or slices of a line side by side. The
    head sees the sum of the differences of the clips' features.
    """

    transform = Clips
    clips: int = key(
        6, "number of clips, one of which is out of order; clips of a line are groups of slices", least=2, most=100
    )
    clip_image: str = key(
        "sum",
        "image of a clip of a sequence: sum of the differences of its frames; stack of those of neighbours, with "
        "channels=15 for 6 frames",
        choices=CLIP_IMAGES,
    )
    clip_frames: int = key(6, "frames in a clip, at most half of the sequence", least=3, most=1000)

    def make_transform(self, views):
        return Clips(views, self.clips, self.clip_frames, self.clip_image)

    def channels(self):
        return (3 * (self.clip_frames - 1),) if self.clip_image == "stack" else super().channels()

    def records(self, dataset):
        if self.clip_image == "sum":
            return super().records(dataset)
        if is_line(*dataset.shape[:2]):
            raise UserError("clip_image=stack: clips of lines are slices, without differences: take clip_image=sum")
        return Sequences(dataset, 2 * self.clip_frames)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.chance = 1 / self.clips
        self.make_head(encoder.dim, self.clips, slices=3)

    def loss(self, batch, training):
        weights = tf.cast(2 * tf.range(self.clips) - (self.clips - 1), tf.float32)  # of the sum over all pairs of clips
        fused = tf.einsum("n,bnd->bd", weights, self.features(batch, training))
        return classification(self.logits(fused, training), batch["label"])

    def preview_inputs(self, batch):
        count = batch["views"].shape[-1] // 3
        beside = np.concatenate(np.split(batch["views"], count, axis=-1), axis=3)  # the differences of a stack
        return {**super().preview_inputs({"views": beside}), "target": [f"clip {i + 1}" for i in batch["label"]]}
