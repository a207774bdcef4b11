"""What methods share that draw an image from what the encoder makes of it, or of what is left of it."""

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
    """A batch has `image: uint8 [B, H, W, 3]`, what is to be drawn, and perhaps `shown`, alike, what the encoder sees.

    Pixels count from 0 to 1. Logs the mean squared `error`, and that of the best of `guesses` as `trivial_error`; every
    image counts alike, whatever part of it is scored. Each frame of a line draws its strip.
    """

    defaults: ClassVar[dict[str, Any]] = {"views": "none"}
    bottleneck: ClassVar[bool] = True  # whether a picture is drawn from its one frame, or from its map

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.source = "transformer" if self.bottleneck or encoder.lines else "cnn"
        self.decoder = build_decoder(encoder, self.source)
        last = self.decoder.get_layer("pixels").kernel
        last.assign(tf.zeros_like(last))  # at first it adds nothing to the ground

    def loss(self, batch, training):
        errors = self.errors(self.draw(batch, training), batch)
        return {"loss": errors["error"], **errors}

    def draw(self, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        """`float32 [B, H, W, 3]`."""
        images = batch.get("shown", batch["image"])
        features, _ = self.encoder(images, batch.get("width"), training=training, layer=self.source)
        return self.ground(batch) + self.decoder(features, training=training)

    def ground(self, batch: dict[str, tf.Tensor]) -> tf.Tensor | float:
        """What the decoder starts from: gray."""
        return 0.5

    def scored(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """`bool [B, H, W]`: the pixels that count, which padding never does."""
        shape = tf.shape(batch["image"])[:-1]
        if "width" not in batch:
            return tf.ones(shape, tf.bool)
        return tf.broadcast_to(column_mask(batch["width"], batch["image"].shape[2], 1)[:, None], shape)

    def guesses(self, batch: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """What could be drawn without looking, of any shape that goes with the images': what is shown."""
        return [pixels(batch["shown"])]

    def errors(self, drawn: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        target, scored = pixels(batch["image"]), self.scored(batch)
        error, *trivial = (squared_error(x, target, scored) for x in (drawn, *self.guesses(batch)))
        return {"error": error, "trivial_error": tf.reduce_min(trivial)}

    def preview_inputs(self, batch):
        return {name: batch[name] for name in ("shown", "image") if name in batch}

    def preview_outputs(self, batch):
        batch = {name: tf.constant(array) for name, array in batch.items()}
        drawn = tf.round(255 * tf.clip_by_value(self.draw(batch, training=False), 0.0, 1.0))
        return {"drawn": tf.where(self.scored(batch)[..., None], tf.cast(drawn, tf.uint8), batch["image"]).numpy()}


def pixels(images: tf.Tensor) -> tf.Tensor:
    """`uint8` as `float32` from 0 to 1."""
    return tf.cast(images, tf.float32) / 255


def squared_error(drawn: tf.Tensor, target: tf.Tensor, scored: tf.Tensor) -> tf.Tensor:
    """The mean over the scored pixels of an image, then over images; scored: `[B, H, W]`."""
    return tf.reduce_mean(masked_mean(tf.reduce_mean(tf.square(drawn - target), axis=-1), scored, axis=(1, 2)))


def mean_colour(images: tf.Tensor, scored: tf.Tensor) -> tf.Tensor:
    """Of each image's scored pixels, `[B, 1, 1, 3]`."""
    return masked_mean(images, scored[..., None], axis=(1, 2))[:, None, None]
