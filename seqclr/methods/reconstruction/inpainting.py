"""Context encoder: the middle of an image from what is around it."""

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
    """Pathak et al. 2016, arXiv:1604.07379. A hole of about half of the sides, in a line a strip of its middle, is
    drawn, of a picture from its one frame, and has to pass for true.

    The paper's frame has 4000 numbers, and its rim 4 of 128 pixels. The error is that of the hole. The trivial
    predictor, which is what the hole shows, draws the mean colour of what is left.
    """

    transform = ImageWithHole

    hole: str = key("centre", "where the hole is: centre or random", choices=("centre", "random"))
    rim: int = key(1, "visible pixels around the hole that are drawn too, with ten times the weight", least=0)
    discriminator_rate: float = key(0.1, "of the common learning rate what the discriminator's is", least=0)

    def make_transform(self, views):
        return ImageWithHole(views, self.hole, self.rim)

    def loss(self, batch, training):
        target, drawn = pixels(batch["image"]), self.draw(batch, training)
        squares = tf.reduce_mean(tf.square(drawn - target), axis=-1) * tf.where(batch["hidden"], 1.0, RIM)
        content = tf.reduce_mean(masked_mean(squares, batch["block"], axis=(1, 2)))
        block = tf.cast(batch["block"], tf.float32)[..., None]  # the discriminator sees nothing else
        passing, told = self.judge(block * target, block * drawn, batch.get("width"))
        loss = (1 - self.adversarial) * content + self.adversarial * passing
        return {"loss": loss, "passing": passing, "adversary_loss": told, **self.errors(drawn, batch)}

    def scored(self, batch):
        return batch["hidden"]

    def learning_rate_factors(self):
        return {"discriminator": self.discriminator_rate}
