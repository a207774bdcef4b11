"""Prediction of masked strips of a line."""

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
class StripReconstruction(Method):
    """Base of the methods whose Transformer frames predict the strips of the image that are masked in the views.

    The target is the image itself, in gray and standardised, without the colours, noise and clutter of the view, so
    that the features must separate glyphs from the rest.
    """

    facts = Facts(needs_lines="each frame of a line reconstructs its strip")
    transform = MaskedViews
    copies: ClassVar[int] = 1  # views of an image
    spans: int = key(3, "number of masked strips", least=1, most=1000)
    span: int = key(12, "columns of a masked strip; fewer than a character has, so that part of it is visible", least=1)
    visible: float = key(0.1, "weight of the visible columns in the reconstruction loss", least=0)

    def make_transform(self, views):
        return MaskedViews(views, self.copies, self.spans, self.span)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.decoder = strip_decoder(encoder, channels=1)

    def reconstruction_losses(
        self, features: tf.Tensor, batch: dict[str, tf.Tensor], widths: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """The loss from the frames `[V * B, T, D]` of all views, the error in masked columns, and that of an empty
        image, the trivial predictor; widths: `[V * B]` or None."""
        originals, hidden = stacked(batch["originals"]), stacked(batch["hidden"])
        images = self.decoder(features)[..., 0]
        return {
            "loss": reconstruction_loss(images, originals, hidden, self.visible, widths),
            "error": reconstruction_loss(images, originals, hidden, 0.0, widths),
            "trivial_error": reconstruction_loss(tf.zeros_like(images), originals, hidden, 0.0, widths),
        }

    def preview_inputs(self, batch):
        return {"view": batch["views"][:, 0], "original": in_gray(batch["originals"][:, 0])}

    def preview_outputs(self, batch):
        features, _ = self.encoder(batch["views"][:, 0], batch.get("width"), training=False)
        levels = 128 + 64 * self.decoder(features)[..., 0].numpy()  # the output is standardised
        return {"reconstruction": in_gray(np.clip(levels, 0, 255).astype(np.uint8))}


@register("masked", paper="Xie et al. 2022, arXiv:2111.09886")
@dataclass
class Masked(StripReconstruction):
    """Prediction of masked strips from the frames: SimMIM on text lines (Xie et al. 2022, arXiv:2111.09886)."""

    def loss(self, batch, training):
        widths = batch.get("width")
        features, _ = self.encoder(stacked(batch["views"]), widths, training=training)
        return self.reconstruction_losses(features, batch, widths)


def in_gray(originals: np.ndarray) -> np.ndarray:
    """Gray images `uint8 [B, H, W]` with three channels."""
    return np.repeat(originals[..., None], 3, axis=-1)


def reconstruction_loss(
    images: tf.Tensor, originals: tf.Tensor, hidden: tf.Tensor, visible: float, widths: tf.Tensor | None = None
) -> tf.Tensor:
    """Mean squared error of reconstructed against standardised originals, over the masked columns, then over images.

    images: `[B, H, W]`. originals: `uint8 [B, H, W]`. hidden: `bool [B, W]`, the masked columns; the others have the
    weight `visible`. widths: `int32 [B]`, columns that are no padding (None: all).
    """
    filled = tf.ones_like(hidden) if widths is None else column_mask(widths, originals.shape[2], 1)
    originals, inside = tf.cast(originals, tf.float32), tf.cast(filled, tf.float32)[:, None]
    mean, variance = tf.nn.weighted_moments(originals, [1, 2], inside, keepdims=True)
    originals = (originals - mean) * tf.math.rsqrt(variance + 25.0)  # 5 of 255 gray levels: an empty image stays empty
    weights = tf.where(hidden, 1.0, visible) * inside[:, 0]
    errors = tf.reduce_mean(tf.square(images - originals), axis=1)
    return tf.reduce_mean(tf.reduce_sum(errors * weights, axis=1) / tf.reduce_sum(weights, axis=1))
