"""Methods that compare two full views and several small crops by prototypes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import keras
import tensorflow as tf

from seqclr.config import MANY, key
from seqclr.errors import UserError
from seqclr.methods.base import TwoViewMethod, stacked
from seqclr.nn import frames
from seqclr.nn.replicas import gather
from seqclr.transforms.multi_crop import MultiCrop


class Crop(NamedTuple):
    """One view of every image of all replicas: instances `float32 [N, D]`, and their visibility, `bool [N]`.

    Row i of every crop is the same window of the same image.
    """

    rows: tf.Tensor
    visible: tf.Tensor


@dataclass
class MultiCropMethod(TwoViewMethod):
    """Two full views, and the small views of the preset if it has any, compared by `self.last`, the prototypes.

    A small view of a line shows some of its windows, which only correspondence=geometry can find. Where an image is one
    instance, so is a small view.
    """

    transform = MultiCrop

    prototypes: int = key(64, "number of prototypes", least=2, most=MANY)
    freeze: float = key(0.01, "initial fraction of the run with frozen prototypes", least=0, most=1)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        small = MultiCrop(self.run.views).small
        if not small:
            return
        if self.correspondence == "index" and self.windows() > 1:
            raise UserError(
                "correspondence 'index': a small view shows a part of the windows; set correspondence=geometry or "
                "frames=all"
            )
        size = encoder.height, encoder.width
        height, width = (max(1, round(length * factor)) for length, factor in zip(size, small[0][1]))
        self.check_accepts(height, width, "small views")

    def make_prototypes(self, dim: int) -> None:
        """Makes `self.last`, a part of its own whose kernel has the prototypes as columns, of unit length."""
        self.last = keras.layers.Dense(self.prototypes, use_bias=False, dtype="float32", name="last")
        self.last.build((None, dim))
        self.last.kernel.assign(tf.math.l2_normalize(self.last.kernel.value, axis=0))

    def frozen(self, step):
        return frozenset({"last"} if step < int(self.freeze * self.run.total_steps) else ())

    def crops(self, batch: dict[str, tf.Tensor], training: bool, small: bool = True) -> list[Crop]:
        """The projections of the full views, then of the small ones, which small=False leaves out."""
        _, mask, z = self.embed(batch, training)
        crops = gathered(*self.pool(z, batch, mask), views=2)
        if small and "small" in batch:
            crops += self.small_crops(batch, training, z.shape[1], mask)
        return crops

    def small_crops(self, batch: dict[str, tf.Tensor], training: bool, full_frames: int, full_mask) -> list[Crop]:
        """full_frames: number of frames of a full view. full_mask: the frame mask of both full views, or None."""
        views = batch["small"].shape[1]
        widths = tf.tile(batch["small_width"], [views]) if "small_width" in batch else None
        features, mask = self.encoder(stacked(batch["small"]), widths, training=training, layer=self.layer)
        z = tf.cast(self.projector(features, mask, training=training), tf.float32)
        if self.correspondence == "index":
            return gathered(*frames.pool(z, "all", mask), views)
        filled = None if full_mask is None else tf.reduce_sum(tf.cast(tf.split(full_mask, 2)[0], tf.int32), axis=1)
        filled = None if full_mask is None else tf.tile(filled, [views])
        return gathered(
            *frames.pool(z, self.frames, mask, stacked(batch["small_geometry"]), full_frames, filled), views
        )


def gathered(pooled: tf.Tensor, visible: tf.Tensor | None, views: int) -> list[Crop]:
    """Crops of instances `[VB, N, D]` and of their visibility, `bool [VB, N]` or None, gathered from all replicas."""
    visible = tf.ones(tf.shape(pooled)[:2]) if visible is None else tf.cast(visible, tf.float32)
    rows = tf.reshape(pooled, [views, -1, pooled.shape[-1]])
    rows = tf.unstack(gather(tf.transpose(rows, (1, 0, 2))), views, axis=1)
    visible = tf.unstack(gather(tf.transpose(tf.reshape(visible, [views, -1]))), views, axis=1)
    return [Crop(*crop) for crop in zip(rows, (weight > 0 for weight in visible))]
