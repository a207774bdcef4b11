"""Base of the methods that reconstruct an image from the features of it or of a corrupted version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from seqclr.losses.common import masked_mean
from seqclr.methods.base import Method
from seqclr.nn.decoders import build_decoder
from seqclr.nn.encoders import column_mask


@dataclass
class Reconstruction(Method):
    """A batch has the target `image: uint8 [B, H, W, 3]` and, where it differs, the encoder's `input`, of that shape.

    Pixels are scaled to 0 to 1. Logs the mean squared `error`, and that of the best of `trivial_predictions` as
    `trivial_error`; all images have the same weight, whatever part of them is scored. Each frame of a line
    reconstructs its strip.
    """

    defaults: ClassVar[dict[str, Any]] = {"views": "none"}
    bottleneck: ClassVar[bool] = True  # whether an image is decoded from its single frame, or from its feature map

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.source = "transformer" if self.bottleneck or encoder.lines else "cnn"
        self.decoder = build_decoder(encoder, self.source)
        last = self.decoder.get_layer("pixels").kernel
        last.assign(tf.zeros_like(last))  # the initial reconstruction is `initial_image`

    def loss(self, batch, training):
        errors = self.errors(self.reconstruct(batch, training), batch)
        return {"loss": errors["error"], **errors}

    def reconstruct(self, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        """`float32 [B, H, W, 3]`."""
        images = batch.get("input", batch["image"])
        features, _ = self.encoder(images, batch.get("width"), training=training, layer=self.source)
        return self.initial_image(batch) + self.decoder(features, training=training)

    def initial_image(self, batch: dict[str, tf.Tensor]) -> tf.Tensor | float:
        """The image to which the decoder's output is added: gray."""
        return 0.5

    def scored(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """`bool [B, H, W]`: the pixels whose error is measured, without padding."""
        shape = tf.shape(batch["image"])[:-1]
        if "width" not in batch:
            return tf.ones(shape, tf.bool)
        return tf.broadcast_to(column_mask(batch["width"], batch["image"].shape[2], 1)[:, None], shape)

    def trivial_predictions(self, batch: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """Predictions without a network, of shapes that broadcast to the images': the input."""
        return [pixels(batch["input"])]

    def errors(self, reconstruction: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        target, scored = pixels(batch["image"]), self.scored(batch)
        error, *trivial = (squared_error(x, target, scored) for x in (reconstruction, *self.trivial_predictions(batch)))
        return {"error": error, "trivial_error": tf.reduce_min(trivial)}

    def preview_inputs(self, batch):
        return {name: batch[name] for name in ("input", "image") if name in batch}

    def preview_outputs(self, batch):
        batch = {name: tf.constant(array) for name, array in batch.items()}
        images = tf.round(255 * tf.clip_by_value(self.reconstruct(batch, training=False), 0.0, 1.0))
        images = tf.where(self.scored(batch)[..., None], tf.cast(images, tf.uint8), batch["image"])
        return {"reconstruction": images.numpy()}


def pixels(images: tf.Tensor) -> tf.Tensor:
    """`uint8` as `float32` from 0 to 1."""
    return tf.cast(images, tf.float32) / 255


def squared_error(images: tf.Tensor, target: tf.Tensor, scored: tf.Tensor) -> tf.Tensor:
    """The mean over the scored pixels of an image, then over images; scored: `[B, H, W]`."""
    return tf.reduce_mean(masked_mean(tf.reduce_mean(tf.square(images - target), axis=-1), scored, axis=(1, 2)))


def mean_colour(images: tf.Tensor, scored: tf.Tensor) -> tf.Tensor:
    """The mean colour of each image's scored pixels, `[B, 1, 1, 3]`."""
    return masked_mean(images, scored[..., None], axis=(1, 2))[:, None, None]
