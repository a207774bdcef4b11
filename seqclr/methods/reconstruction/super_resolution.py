"""Super-resolution: reconstruction of the detail of an image from a version of lower resolution."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.losses.common import masked_mean
from seqclr.methods.reconstruction.adversarial import Adversarial
from seqclr.methods.reconstruction.base import pixels
from seqclr.methods.registry import register
from seqclr.transforms.corrupted import CoarseImage


@register("super_resolution", paper="Ledig et al. 2017, arXiv:1609.04802")
@dataclass
class SuperResolution(Adversarial):
    """Reconstruction of an image that was reduced and enlarged again (SRGAN, Ledig et al. 2017, arXiv:1609.04802).

    The decoder predicts the difference from the enlarged image, which is the trivial predictor. It upsamples the
    feature map; the paper's network keeps the size of the reduced image. As in the paper, the first part of the run
    has the error of pixels alone, the second an adversarial loss too. There the content loss is the error of pixels,
    or of the features of a perceptual encoder (the paper's is VGG) where a run is named.
    """

    transform = CoarseImage
    bottleneck = False

    factor: int = key(4, "factor by which the sides are reduced; 2 suits small images", least=2, most=64)
    adversarial_start: float = key(0.5, "fraction of the run before the adversarial loss begins", least=0, most=1)
    perceptual: str | None = key(
        None,
        "run whose frozen encoder computes the content loss after adversarial_start; default: pixel error",
        free=True,
    )

    def make_transform(self, views):
        return CoarseImage(views, self.factor)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.perceptual_encoder = self.run.load_encoder(self.perceptual) if self.perceptual else None

    def frozen(self, step):
        return frozenset({"discriminator"} if step < int(self.adversarial_start * self.run.total_steps) else ())

    def initial_image(self, batch):
        return pixels(batch["input"])

    def loss(self, batch, training):
        images, target = self.reconstruct(batch, training), pixels(batch["image"])
        errors, widths = self.errors(images, batch), batch.get("width")
        if not self.discriminator.trainable:  # as it is frozen
            return {"loss": errors["error"], "generator_loss": 0.0, "adversary_loss": 0.0, **errors}
        inside = tf.cast(self.scored(batch), tf.float32)[..., None]
        generator, discriminator = self.adversarial_losses(inside * target, inside * images, widths)
        content = self.perceptual_loss(images, target, widths) if self.perceptual_encoder else errors["error"]
        loss = content + self.adversarial * generator
        return {"loss": loss, "generator_loss": generator, "adversary_loss": discriminator, **errors}

    def perceptual_loss(self, images: tf.Tensor, target: tf.Tensor, widths: tf.Tensor | None) -> tf.Tensor:
        """The mean squared difference of features, without those of padding."""
        (found, mask), (wanted, _) = (self.perceptual_encoder(255 * x, widths) for x in (images, target))
        each = tf.reduce_mean(tf.square(tf.cast(found, tf.float32) - tf.cast(wanted, tf.float32)), axis=-1)
        return tf.reduce_mean(each if mask is None else masked_mean(each, mask, axis=1))
