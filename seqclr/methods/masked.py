"""Masked strips: drawing what is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import keras
import tensorflow as tf
from keras import layers

from seqclr.config import key
from seqclr.errors import UserError
from seqclr.methods.base import Method, stacked
from seqclr.nn.encoders import column_mask
from seqclr.nn.heads import SLOPE
from seqclr.recipes.text import MaskedViews


@dataclass
class Drawing(Method):
    """What methods share whose Transformer's frames draw strips of the page that their views hide.

    What is drawn is the page itself, in gray and standardised, without the colours, noise and clutter of the view, so
    that the glyph has to be told from what is not glyph.
    """

    recipe = MaskedViews
    needs_lines = "each frame of a line draws its strip"
    copies: ClassVar[int] = 1  # views of an image
    spans: int = key(3, "strips that are hidden")
    span: int = key(12, "columns of each: fewer than a character has, or there is nothing to tell it from")
    visible: float = key(0.1, "weight of drawing the columns that are not hidden")

    def __post_init__(self):
        super().__post_init__()
        if self.spans < 1 or self.span < 1:
            raise UserError(f"spans {self.spans}, span {self.span}: at least 1 each")

    def make_recipe(self, views):
        return MaskedViews(views, self.copies, self.spans, self.span)

    def build(self, encoder):
        super().build(encoder)
        self.decoder = strip_decoder(encoder)

    def draw(self, features: tf.Tensor, batch: dict[str, tf.Tensor], widths: tf.Tensor | None) -> tf.Tensor:
        """The loss of what the frames `[V * B, T, D]` of all views draw; widths: `[V * B]` or None."""
        pages, hidden = stacked(batch["pages"]), stacked(batch["hidden"])
        return drawing_loss(self.decoder(features), pages, hidden, self.visible, widths)


@dataclass
class Masked(Drawing):
    """Strips of the view are hidden, and the frames draw them: SimMIM on text (Xie et al. 2022, arXiv:2111.09886)."""

    def loss(self, batch, training):
        widths = batch.get("width")
        features, _ = self.encoder(stacked(batch["views"]), widths, training=training)
        return {"loss": self.draw(features, batch, widths)}


def strip_decoder(encoder: keras.Model) -> keras.Sequential:
    """A frame's feature to the gray values of its strip of the page, `[B, T, D]` to `[B, T, height * stride]`."""
    parts = [
        layers.Dense(2 * encoder.dim, name="dense"),
        layers.LeakyReLU(negative_slope=SLOPE, name="relu"),
        layers.Dense(encoder.height * encoder.STRIDE, dtype="float32", name="pixels"),
    ]
    decoder = keras.Sequential(parts, name="decoder")
    decoder.build((None, None, encoder.dim))
    return decoder


def drawing_loss(
    drawn: tf.Tensor, pages: tf.Tensor, hidden: tf.Tensor, visible: float, widths: tf.Tensor | None = None
) -> tf.Tensor:
    """Mean squared error of drawn strips against standardised pages, over the hidden columns.

    drawn: `[B, T, H * stride]`. pages: `uint8 [B, H, W]`. hidden: `bool [B, W]`; the other columns count with the
    weight `visible`. widths: `int32 [B]`, columns that are no padding (None: all).
    """
    height, width, frames = pages.shape[1], pages.shape[2], drawn.shape[1]
    stride = drawn.shape[2] // height
    shown = tf.ones_like(hidden) if widths is None else column_mask(widths, width, 1)
    columns = tf.transpose(tf.cast(pages, tf.float32), [0, 2, 1])
    inside = tf.cast(shown, tf.float32)[..., None]
    mean, variance = tf.nn.weighted_moments(columns, [1, 2], inside, keepdims=True)
    columns = (columns - mean) * tf.math.rsqrt(variance + 25.0)  # 5 of 255 gray levels: an empty page stays empty
    weights = tf.where(hidden, 1.0, visible) * inside[..., 0]
    room = [[0, 0], [0, frames * stride - width]]  # the last strip may reach beyond the page
    strips = tf.reshape(tf.pad(columns, [*room, [0, 0]]), [-1, frames * stride, height])
    errors = tf.reduce_mean(tf.square(tf.reshape(drawn, [-1, frames * stride, height]) - strips), axis=-1)
    weights = tf.pad(weights, room)
    return tf.reduce_sum(errors * weights) / tf.reduce_sum(weights)
