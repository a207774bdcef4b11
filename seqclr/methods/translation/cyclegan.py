"""CycleGAN: translation in both directions, one of which undoes the other."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.registry import register
from seqclr.methods.translation.base import Translation, absolute_error, generated, joined, own
from seqclr.nn.discriminators import PatchDiscriminator
from seqclr.nn.image_pool import ImagePool


@register(
    "cyclegan",
    paper="Zhu et al. 2017, arXiv:1703.10593",
    stores="pools of translated images",
    needs_lines="generated images show lines of text",
)
@dataclass
class CycleGAN(Translation):
    """Translation of generated images into the domain of the run's images, and back to the same image (Zhu et al. 2017,
    arXiv:1703.10593).

    The encoder is a part of both generators. Each discriminator sees a pool of earlier translations. With
    `seqclr translate --back` a run translates images into the domain of the generated ones.
    """

    adversaries = frozenset({"discriminator", "back_discriminator"})
    generators = ("generator", "back_generator")

    cycle: float = key(10.0, "weight of the cycle loss, relative to the adversarial loss", least=0)
    identity: float = key(
        0.5, "weight of the loss of images that are of the domain already, relative to the cycle loss", least=0
    )
    pool: int = key(50, "translated images of earlier steps that a discriminator sees", least=1, most=10**4)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        size = encoder.height, encoder.width
        self.back_generator = self.make_generator("back_generator")
        self.back_discriminator = PatchDiscriminator(*size, name="back_discriminator")
        self.images, self.back_images = (ImagePool(self.pool, *size, name) for name in ("images", "back_images"))

    def loss(self, batch, training):
        (x, x_widths), (y, y_widths) = generated(batch), own(batch)
        to, back = self.generator, self.back_generator
        images, widths = joined(x, y), joined(x_widths, y_widths)
        frames, _ = self.encoder(images, widths, training=training)
        fake_y, same_y = tf.split(to(images, frames, widths), 2)
        same_x, fake_x = tf.split(back(images, frames, widths), 2)
        frames, _ = self.encoder(joined(fake_y, fake_x), widths, training=training)
        frames_y, frames_x = tf.split(frames, 2)
        cycle = absolute_error(back(fake_y, frames_y, x_widths), x, x_widths)
        cycle += absolute_error(to(fake_x, frames_x, y_widths), y, y_widths)
        identity = absolute_error(same_y, y, y_widths) + absolute_error(same_x, x, x_widths)
        pools = (self.images, self.back_images) if training else (None, None)
        sides = [
            self.adversarial_losses(y, y_widths, fake_y, x_widths, self.discriminator, pools[0]),
            self.adversarial_losses(x, x_widths, fake_x, y_widths, self.back_discriminator, pools[1]),
        ]
        adversarial, discriminator = (tf.add_n(losses) for losses in zip(*sides))
        loss = adversarial + self.cycle * (cycle + self.identity * identity)
        figures = {"generator_loss": adversarial, "cycle": cycle, "identity": identity}
        return {"loss": loss, **figures, "adversary_loss": discriminator}

    def preview_outputs(self, batch):
        columns = super().preview_outputs(batch)
        return {**columns, "image back": self.shown(*own(batch), self.back_generator)}
