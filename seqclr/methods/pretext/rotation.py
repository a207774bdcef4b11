"""Rotation: the angle by which an image is rotated."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from seqclr.config import key
from seqclr.errors import UserError
from seqclr.losses.common import classification
from seqclr.methods.base import Method
from seqclr.methods.registry import register
from seqclr.nn import frames
from seqclr.transforms.two_views import OneView


@register("rotation", paper="Gidaris et al. 2018, arXiv:1803.07728")
@dataclass
class Rotation(Method):
    """Classification of the rotation of an image, with all rotations in the batch (Gidaris et al. 2018,
    arXiv:1803.07728).

    A line of text has two rotations: upright and upside down. In a padded line, only the content is rotated.
    """

    transform = OneView
    image_defaults = {"views": "none"}  # a small crop may not show which way is up

    turns: int = key(
        0, "number of rotations: 4 (by 90 degrees), 2 (by 180) or 0 (4 for square images, else 2)", choices=(0, 2, 4)
    )

    def build(self, encoder, run=None):
        super().build(encoder, run)
        square = encoder.height == encoder.width
        if self.turns == 4 and encoder.lines:
            raise UserError("turns 4: a line that is rotated by 90 degrees is no line: use turns=2")
        if self.turns == 4 and not square:
            raise UserError("turns 4: rotation by 90 degrees swaps height and width: use turns=2, or make them equal")
        self.copies = self.turns or (4 if square and not encoder.lines else 2)
        self.chance = 1 / self.copies
        self.head = keras.layers.Dense(self.copies, dtype="float32", name="head")
        self.head.build((None, None, encoder.dim))

    def loss(self, batch, training):
        rotated, labels = self.rotated(batch)
        widths = tf.tile(batch["width"], [self.copies]) if "width" in batch else None
        features, mask = self.encoder(rotated, widths, training=training, layer=self.layer)
        logits = self.head(frames.pool(tf.cast(features, tf.float32), "all", mask)[0])[:, 0]
        return classification(logits, labels)

    def rotated(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """All copies, `uint8 [copies * B, H, W, 3]`, by angle, and their labels, `int32`.

        Rotation is anticlockwise, in steps of 360 degrees / copies.
        """
        views = batch["views"][:, 0]
        if self.copies == 4:
            copies = [tf.image.rot90(views, turn) for turn in range(4)]
        else:
            widths = batch.get("width", tf.fill([tf.shape(views)[0]], views.shape[2]))
            copies = [views, tf.reverse_sequence(tf.reverse(views, [1]), widths, seq_axis=2)]
        return tf.concat(copies, axis=0), tf.repeat(tf.range(self.copies), tf.shape(views)[0])

    def preview_inputs(self, batch):
        copies = np.split(self.rotated({name: tf.constant(value) for name, value in batch.items()})[0], self.copies)
        return {f"rotated by {360 // self.copies * turn} degrees": views for turn, views in enumerate(copies)}
