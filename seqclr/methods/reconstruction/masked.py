"""Masked strips: drawing what is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import Method, stacked
from seqclr.methods.facts import Facts
from seqclr.methods.registry import register
from seqclr.nn.decoders import strip_decoder
from seqclr.nn.encoders import column_mask
from seqclr.transforms.masked_views import MaskedViews


@dataclass
class Drawing(Method):
    """What methods share whose Transformer's frames draw strips of the image that their views hide.

    What is drawn is the image itself, in gray and standardised, without the colours, noise and clutter of the view, so
    that the glyph has to be told from what is not glyph.
    """

    facts = Facts(needs_lines="each frame of a line draws its strip")
    transform = MaskedViews
    copies: ClassVar[int] = 1  # views of an image
    spans: int = key(3, "strips that are hidden", least=1, most=1000)
    span: int = key(12, "columns of each: fewer than a character has, or there is nothing to tell it from", least=1)
    visible: float = key(0.1, "weight of drawing the columns that are not hidden", least=0)

    def make_transform(self, views):
        return MaskedViews(views, self.copies, self.spans, self.span)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.decoder = strip_decoder(encoder, channels=1)

    def draw(self, features: tf.Tensor, batch: dict[str, tf.Tensor], widths: tf.Tensor | None) -> dict[str, tf.Tensor]:
        """The loss of what the frames `[V * B, T, D]` of all views draw, its error in what is hidden, and that of an
        empty image, the trivial predictor; widths: `[V * B]` or None."""
        originals, hidden, drawn = stacked(batch["originals"]), stacked(batch["hidden"]), self.decoder(features)[..., 0]
        return {
            "loss": drawing_loss(drawn, originals, hidden, self.visible, widths),
            "error": drawing_loss(drawn, originals, hidden, 0.0, widths),
            "trivial_error": drawing_loss(tf.zeros_like(drawn), originals, hidden, 0.0, widths),
        }

    def preview_inputs(self, batch):
        return {"view": batch["views"][:, 0], "original": in_gray(batch["originals"][:, 0])}

    def preview_outputs(self, batch):
        features, _ = self.encoder(batch["views"][:, 0], batch.get("width"), training=False)
        drawn = self.decoder(features)[..., 0].numpy()
        return {
            "drawn": in_gray(np.clip(128 + 64 * drawn, 0, 255).astype(np.uint8))
        }  # a standardised image has no tone


@register("masked", paper="Xie et al. 2022, arXiv:2111.09886")
@dataclass
class Masked(Drawing):
    """Strips of the view are hidden, and the frames draw them: SimMIM on text (Xie et al. 2022, arXiv:2111.09886)."""

    def loss(self, batch, training):
        widths = batch.get("width")
        features, _ = self.encoder(stacked(batch["views"]), widths, training=training)
        return self.draw(features, batch, widths)


def in_gray(originals: np.ndarray) -> np.ndarray:
    """`uint8 [B, H, W]` in three channels."""
    return np.repeat(originals[..., None], 3, axis=-1)


def drawing_loss(
    drawn: tf.Tensor, originals: tf.Tensor, hidden: tf.Tensor, visible: float, widths: tf.Tensor | None = None
) -> tf.Tensor:
    """Mean squared error of drawn originals against standardised ones, over the hidden columns of each, then over
    originals.

    drawn: `[B, H, W]`. originals: `uint8 [B, H, W]`. hidden: `bool [B, W]`; the other columns count with the weight
    `visible`. widths: `int32 [B]`, columns that are no padding (None: all).
    """
    shown = tf.ones_like(hidden) if widths is None else column_mask(widths, originals.shape[2], 1)
    originals, inside = tf.cast(originals, tf.float32), tf.cast(shown, tf.float32)[:, None]
    mean, variance = tf.nn.weighted_moments(originals, [1, 2], inside, keepdims=True)
    originals = (originals - mean) * tf.math.rsqrt(variance + 25.0)  # 5 of 255 gray levels: an empty image stays empty
    weights = tf.where(hidden, 1.0, visible) * inside[:, 0]
    errors = tf.reduce_mean(tf.square(drawn - originals), axis=1)
    return tf.reduce_mean(tf.reduce_sum(errors * weights, axis=1) / tf.reduce_sum(weights, axis=1))
