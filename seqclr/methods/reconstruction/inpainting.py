"""Context encoder: prediction of a hole in an image from its surroundings."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.losses.common import masked_mean
from seqclr.methods.reconstruction.adversarial import Adversarial
from seqclr.methods.reconstruction.base import pixels
from seqclr.methods.registry import register
from seqclr.transforms.corrupted import ImageWithHole

RIM = 10.0  # weight of a visible pixel at the rim of the hole


@register("inpainting", paper="Pathak et al. 2016, arXiv:1604.07379")
@dataclass
class Inpainting(Adversarial):
    """Prediction of a hole with about half of the sides, in a line of a strip of its middle, with an adversarial loss
    (Pathak et al. 2016, arXiv:1604.07379).

    The hole of an image is decoded from the single frame; the paper's has 4000 values, and its rim 4 of 128 pixels. The
    error is measured in the hole. The trivial predictor is the content of the hole: the mean colour of the visible
    pixels.
    """

    transform = ImageWithHole

    hole: str = key("centre", "position of the hole: centre or random", choices=("centre", "random"))
    rim: int = key(
        1, "width in pixels of the visible rim of the hole that is predicted too, with ten times the weight", least=0
    )
    discriminator_rate: float = key(0.1, "learning rate of the discriminator, as a factor of the common one", least=0)

    def make_transform(self, views):
        return ImageWithHole(views, self.hole, self.rim)

    def loss(self, batch, training):
        target, predicted = pixels(batch["image"]), self.reconstruct(batch, training)
        squares = tf.reduce_mean(tf.square(predicted - target), axis=-1) * tf.where(batch["hidden"], 1.0, RIM)
        content = tf.reduce_mean(masked_mean(squares, batch["block"], axis=(1, 2)))
        block = tf.cast(batch["block"], tf.float32)[..., None]  # the discriminator sees nothing else
        generator, discriminator = self.adversarial_losses(block * target, block * predicted, batch.get("width"))
        loss = (1 - self.adversarial) * content + self.adversarial * generator
        errors = self.errors(predicted, batch)
        return {"loss": loss, "generator_loss": generator, "adversary_loss": discriminator, **errors}

    def scored(self, batch):
        return batch["hidden"]

    def learning_rate_factors(self):
        return {"discriminator": self.discriminator_rate}
