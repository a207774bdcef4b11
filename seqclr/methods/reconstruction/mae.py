"""Masked autoencoder: prediction of the masked patches of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from seqclr import losses
from seqclr.config import key
from seqclr.errors import UserError
from seqclr.losses.common import masked_mean
from seqclr.methods.base import Method
from seqclr.methods.reconstruction.base import pixels
from seqclr.methods.registry import register
from seqclr.nn.decoders import PatchDecoder
from seqclr.nn.image_encoders import ImageEncoder, Transformer
from seqclr.transforms.corrupted import MaskedPatches, hidden_count, patch_side


@register("mae", paper="He et al. 2022, arXiv:2111.06377")
@dataclass
class MAE(Method):
    """Prediction of masked patches by a small decoder from the features of the visible ones, the only input of the
    encoder (He et al. 2022, arXiv:2111.06377).

    The paper's decoder has 8 blocks of width 512 for an encoder of 1024; this one has 2 of half the encoder's width.
    Pixels are scaled to 0 to 1, or, with `normalize`, by the mean and deviation of their patch. The errors are measured
    in masked patches; the trivial predictor is the mean colour of the visible ones, or, with `normalize`, of the patch.
    """

    transform = MaskedPatches
    defaults = {"views": "none"}
    depth = 2

    masked: float = key(0.75, "fraction of masked patches", least=0.01, most=0.99)
    normalize: bool = key(True, "normalize the target patches by their own mean and deviation")

    def make_transform(self, views):
        return MaskedPatches(views, self.masked)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        if not isinstance(encoder, ImageEncoder) or not isinstance(encoder.parts[-1], Transformer):
            raise UserError("mae takes encoder=vit_tiny, as others see all patches; for text lines use method=masked")
        self.side, (rows, columns) = patch_side(encoder.height, encoder.width), encoder.grid
        for name, length in (("height", encoder.height), ("width", encoder.width)):
            if length % self.side:
                raise UserError(f"{name} {length}: take a multiple of {self.side}, the side of a patch in pixels")
        self.visible = rows * columns - hidden_count(rows * columns, self.masked)
        self.decoder = PatchDecoder(encoder.dim // 2, self.depth, heads=3, size=3 * self.side**2, name="decoder")
        self.decoder(tf.zeros((1, self.visible, encoder.dim)), tf.range(rows * columns)[None] >= self.visible)

    def loss(self, batch, training):
        target, hidden = cut(pixels(batch["image"]), self.side), batch["hidden"]
        trivial = tf.zeros_like(target) if self.normalize else self.mean_patches(target, hidden)
        error, trivial_error = (
            losses.masked_reconstruction(target, x, hidden, self.normalize)
            for x in (self.reconstruct(batch, training), trivial)
        )
        return {"loss": error, "error": error, "trivial_error": trivial_error}

    def reconstruct(self, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        """All patches, `float32 [B, L, P]`; those of the visible ones do not enter the loss."""
        kept = tf.argsort(tf.cast(batch["hidden"], tf.int32), stable=True)[:, : self.visible]
        features = self.encoder.visible(batch["image"], kept, training=training)
        return self.decoder(features, batch["hidden"], training=training)

    def mean_patches(self, patches: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        """Patches `[B, L, P]` of the mean colour of the visible ones."""
        colours = tf.reduce_mean(tf.reshape(patches, [-1, hidden.shape[1], self.side**2, 3]), axis=2)
        mean = masked_mean(colours, ~hidden[..., None], axis=1)
        return tf.zeros_like(patches) + tf.tile(mean[:, None], [1, 1, self.side**2])

    def preview_inputs(self, batch):
        patches = tf.where(batch["hidden"][..., None], 0.5, cut(pixels(batch["image"]), self.side))
        return {"input": self.join(patches), "image": batch["image"]}

    def preview_outputs(self, batch):
        target = cut(pixels(batch["image"]), self.side)
        predicted = self.reconstruct(batch, training=False)
        if self.normalize:  # mean and deviation are the target's, as in the paper's figures
            mean, variance = tf.nn.moments(target, -1, keepdims=True)
            predicted = mean + predicted * tf.sqrt(variance)
        return {"reconstruction": self.join(tf.where(batch["hidden"][..., None], predicted, target))}

    def join(self, patches: tf.Tensor) -> np.ndarray:
        """Images `uint8 [B, H, W, 3]` of patches `[B, L, P]`."""
        rows, columns = self.encoder.grid
        x = tf.reshape(patches, [-1, rows, columns, self.side, self.side, 3])
        x = tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), [-1, rows * self.side, columns * self.side, 3])
        return np.rint(255 * np.clip(x, 0, 1)).astype(np.uint8)


def cut(images: tf.Tensor, side: int) -> tf.Tensor:
    """Patches `[B, L, side * side * 3]` of `[B, H, W, 3]`, row by row."""
    _, height, width, channels = images.shape
    x = tf.reshape(images, [-1, height // side, side, width // side, side, channels])
    return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), [-1, height * width // side**2, side**2 * channels])
