"""Masked autoencoder: the patches that a Transformer does not see."""

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
    """He et al. 2022, arXiv:2111.06377. Most patches are taken out of a picture; the encoder sees the others alone, and
    a small decoder draws what is missing.

    The paper's decoder has 8 blocks of width 512 for an encoder of 1024; ours has 2 of half the width of its encoder.
    Pixels count from 0 to 1, or, with `normalize`, each patch by its own mean and deviation. The errors are those of
    what is missing; the trivial predictor draws the mean colour of the rest, or, with `normalize`, of the patch.
    """

    transform = MaskedPatches
    defaults = {"views": "none"}
    depth = 2

    masked: float = key(0.75, "part of the patches that are taken out", least=0.01, most=0.99)
    normalize: bool = key(True, "draw each patch by its own mean and deviation")

    def make_transform(self, views):
        return MaskedPatches(views, self.masked)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        if not isinstance(encoder, ImageEncoder) or not isinstance(encoder.parts[-1], Transformer):
            raise UserError("mae takes encoder=vit_tiny, as others see all patches; of text lines take method=masked")
        self.side, (rows, columns) = patch_side(encoder.height, encoder.width), encoder.grid
        for name, length in (("height", encoder.height), ("width", encoder.width)):
            if length % self.side:
                raise UserError(f"{name} {length} is cut into patches of {self.side} pixels: take a multiple of them")
        self.visible = rows * columns - hidden_count(rows * columns, self.masked)
        self.decoder = PatchDecoder(encoder.dim // 2, self.depth, heads=3, size=3 * self.side**2, name="decoder")
        self.decoder(tf.zeros((1, self.visible, encoder.dim)), tf.range(rows * columns)[None] >= self.visible)

    def loss(self, batch, training):
        target, hidden = cut(pixels(batch["image"]), self.side), batch["hidden"]
        guess = tf.zeros_like(target) if self.normalize else self.rest(target, hidden)
        error, trivial = (
            losses.masked_reconstruction(target, x, hidden, self.normalize) for x in (self.draw(batch, training), guess)
        )
        return {"loss": error, "error": error, "trivial_error": trivial}

    def draw(self, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        """All patches, `float32 [B, L, P]`; what is drawn of the visible ones counts for nothing."""
        kept = tf.argsort(tf.cast(batch["hidden"], tf.int32), stable=True)[:, : self.visible]
        features = self.encoder.visible(batch["image"], kept, training=training)
        return self.decoder(features, batch["hidden"], training=training)

    def rest(self, patches: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        """Patches in the mean colour of those that are visible."""
        colours = tf.reduce_mean(tf.reshape(patches, [-1, hidden.shape[1], self.side**2, 3]), axis=2)
        mean = masked_mean(colours, ~hidden[..., None], axis=1)
        return tf.zeros_like(patches) + tf.tile(mean[:, None], [1, 1, self.side**2])

    def preview_inputs(self, batch):
        patches = tf.where(batch["hidden"][..., None], 0.5, cut(pixels(batch["image"]), self.side))
        return {"shown": self.together(patches), "image": batch["image"]}

    def preview_outputs(self, batch):
        target = cut(pixels(batch["image"]), self.side)
        drawn = self.draw(batch, training=False)
        if self.normalize:  # the patch's own colours, which nobody drew, as in the paper's pictures
            mean, variance = tf.nn.moments(target, -1, keepdims=True)
            drawn = mean + drawn * tf.sqrt(variance)
        return {"drawn": self.together(tf.where(batch["hidden"][..., None], drawn, target))}

    def together(self, patches: tf.Tensor) -> np.ndarray:
        """Pictures `uint8 [B, H, W, 3]` of patches."""
        rows, columns = self.encoder.grid
        x = tf.reshape(patches, [-1, rows, columns, self.side, self.side, 3])
        x = tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), [-1, rows * self.side, columns * self.side, 3])
        return np.rint(255 * np.clip(x, 0, 1)).astype(np.uint8)


def cut(images: tf.Tensor, side: int) -> tf.Tensor:
    """Patches `[B, L, side * side * 3]` of `[B, H, W, 3]`, row by row."""
    _, height, width, channels = images.shape
    x = tf.reshape(images, [-1, height // side, side, width // side, side, channels])
    return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), [-1, height * width // side**2, side**2 * channels])
