"""Pix2Pix: translation that is learned from pairs of images."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.registry import register
from seqclr.methods.translation.base import Translation, absolute_error, generated
from seqclr.nn.generators import Generator
from seqclr.transforms.generated import GeneratedImages

TO_CLEAN, TO_CLUTTERED = "clean", "cluttered"


@register("pix2pix", paper="Isola et al. 2017, arXiv:1611.07004", needs_lines="generated images show lines of text")
@dataclass
class Pix2Pix(Translation):
    """Translation of generated images into their text alone, black on white, or of such text into a generated image
    (Isola et al. 2017, arXiv:1611.07004).

    The generator is a U-Net, and the discriminator sees input and output together. Unlike in the paper, the adversarial
    loss is that of least squares, and nothing is random: the paper found that the generator ignores noise. The run's
    images give only the size. Logs the mean absolute `error` of pixels, where half of the range is 1, beside that of
    the input, `trivial_error`.
    """

    seen_channels = 6

    to: str = key(
        TO_CLEAN,
        "translations: clean, from generated images with their clutter, or cluttered, from the text alone",
        choices=(TO_CLEAN, TO_CLUTTERED),
    )
    l1: float = key(100.0, "weight of the absolute error of pixels, relative to the adversarial loss", least=0)

    def make_transform(self, views):
        return GeneratedImages("none", self.texts, self.text_charset, 1, self.distinct_images, clean=True)

    def make_generator(self, name):
        return Generator(self.encoder, self.generator_channels, self.blocks, skips=True, name=name)

    def pair(self, batch):
        """Input and target, `[B, H, W, 3]`, and their widths or None."""
        cluttered, widths = generated(batch)
        both = cluttered, batch["clean"][:, 0]
        return *(both if self.to == TO_CLEAN else both[::-1]), widths

    def loss(self, batch, training):
        images, target, widths = self.pair(batch)
        images, target = tf.cast(images, tf.float32), tf.cast(target, tf.float32)
        translated = self.translate(images, widths, training)
        real, fake = (tf.concat([images, x], axis=-1) for x in (target, translated))
        adversarial, discriminator = self.adversarial_losses(real, widths, fake, widths)
        error = absolute_error(translated, target, widths)
        figures = {"error": error, "trivial_error": absolute_error(images, target, widths)}
        loss = adversarial + self.l1 * error
        return {"loss": loss, "generator_loss": adversarial, **figures, "adversary_loss": discriminator}

    def preview_inputs(self, batch):
        images, target, _ = self.pair(batch)
        return {"input": images, "text": self.drawn_texts(batch), "target": target}

    def preview_outputs(self, batch):
        images, _, widths = self.pair(batch)
        return {"translated": self.shown(images, widths, self.generator)}
