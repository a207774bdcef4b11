"""Base of the methods that translate images into another domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.errors import UserError
from seqclr.losses.common import masked_mean
from seqclr.methods.base import Columns
from seqclr.methods.generated_texts import GeneratedTexts
from seqclr.nn.blocks import column_mask
from seqclr.nn.discriminators import PatchDiscriminator
from seqclr.nn.generators import Generator
from seqclr.nn.image_pool import ImagePool
from seqclr.transforms.corrupted import WholeImage
from seqclr.transforms.generated import GeneratedImages


@dataclass
class Translation(GeneratedTexts):
    """A generator, of which the encoder is a part, and a discriminator of patches with the least-squares loss.

    A batch has a generated image, `generated: uint8 [B, 1, H, W, 3]`, beside each of the run's, `image`. All images of
    the networks are floats of 0 to 255. A run translates images with `seqclr translate`.
    """

    transform = GeneratedImages
    defaults: ClassVar[dict[str, Any]] = {
        "views": "none", "batch_size": 16, "learning_rate": 5e-4, "weight_decay": 0.0,
    }  # fmt: skip
    adversaries = frozenset({"discriminator"})
    seen_channels: ClassVar[int] = 3  # of what the discriminator sees
    generators: ClassVar[tuple[str, ...]] = ("generator",)  # parts: to the run's images and, where there is one, back

    generator_channels: int = key(
        16, "channels of the generator at full size, doubled at each of two reductions; 64 in the paper", least=1,
        most=WIDEST,
    )  # fmt: skip
    blocks: int = key(3, "residual blocks of the generator; 9 in the paper", least=0, most=32)

    def make_transform(self, views):
        return GeneratedImages("none", self.texts, self.text_charset, 1, self.distinct_images, self.of_the_run(views))

    def of_the_run(self, views: str) -> WholeImage:
        """The transform of the run's own images."""
        return WholeImage(views)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.generator = self.make_generator("generator")
        self.discriminator = PatchDiscriminator(encoder.height, encoder.width, self.seen_channels)

    def make_generator(self, name: str) -> Generator:
        return Generator(self.encoder, self.generator_channels, self.blocks, name=name)

    def generator_of(self, back: bool) -> Generator:
        """The generator of the run's images, or that of generated ones. Raises UserError where there is none."""
        if back and len(self.generators) == 1:
            raise UserError(f"{type(self).__name__} translates in one direction only: leave --back out")
        return getattr(self, self.generators[back])

    def encode(self, images: tf.Tensor, widths: tf.Tensor | None, training: bool, generator: Generator | None = None):
        """The maps of the generator's layers for images, and the frames of the encoder."""
        frames, _ = self.encoder(images, widths, training=training)
        return (generator or self.generator).encode(images, frames, widths), frames

    def translate(
        self, images: tf.Tensor, widths: tf.Tensor | None, training: bool = False, generator: Generator | None = None
    ) -> tf.Tensor:
        """Images `[B, H, W, 3]` in the other domain, `float32`; columns of padding have no meaning."""
        generator = generator or self.generator
        return generator.decode(self.encode(images, widths, training, generator)[0], widths)

    def adversarial_losses(
        self,
        real: tf.Tensor,
        real_widths,
        fake: tf.Tensor,
        fake_widths,
        discriminator: keras.Model | None = None,
        pool: ImagePool | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The losses of the generator and of the discriminator, whose two terms are averaged. pool: of which the
        discriminator sees images in place of some of the fake ones."""
        judge = discriminator or self.discriminator
        (on_real, real_valid), (on_fake, fake_valid) = judge(real, real_widths), judge(fake, fake_widths)
        on_old, old_valid = (on_fake, fake_valid) if pool is None else judge(*pool(fake, fake_widths))
        errors = losses.least_squares(on_real, 1.0, real_valid) + losses.least_squares(on_old, 0.0, old_valid)
        return losses.least_squares(on_fake, 1.0, fake_valid), errors / 2

    def drawn_texts(self, batch: Columns) -> list[str]:
        """The texts of the generated images."""
        return [self.text_charset.decode(ids[ids >= 0]) for ids in batch["label"][:, 0]]

    def preview_inputs(self, batch):
        return {"generated": batch["generated"][:, 0], "text": self.drawn_texts(batch), "image": batch["image"]}

    def preview_outputs(self, batch):
        return {"translated": self.shown(*generated(batch), self.generator)}

    def shown(self, images, widths, generator: Generator) -> np.ndarray:
        """Translated images, `uint8 [B, H, W, 3]`, with white padding."""
        widths = None if widths is None else tf.constant(widths)
        found = tf.cast(tf.round(self.translate(tf.constant(images), widths, generator=generator)), tf.uint8)
        if widths is not None:
            valid, white = column_mask(widths, found.shape[2], 1), tf.constant(255, tf.uint8)
            found = tf.where(valid[:, None, :, None], found, white)
        return found.numpy()


def generated(batch: Columns | dict[str, tf.Tensor]):
    """The generated images of a batch, `[B, H, W, 3]`, and their widths or None."""
    return batch["generated"][:, 0], batch["generated_width"][:, 0] if "generated_width" in batch else None


def joined(first: tf.Tensor | None, second: tf.Tensor | None) -> tf.Tensor | None:
    """The rows of both, images or widths, in the type of the first; None without widths."""
    if first is None or second is None:
        return None
    return tf.concat([first, tf.cast(second, first.dtype)], axis=0)


def absolute_error(images: tf.Tensor, target: tf.Tensor, widths: tf.Tensor | None) -> tf.Tensor:
    """The mean absolute difference over an image without its padding, then over images; half of the range is 1."""
    errors = tf.reduce_mean(tf.abs(images - tf.cast(target, tf.float32)), axis=(1, 3)) / 127.5
    valid = column_mask(widths, images.shape[2], 1)
    return tf.reduce_mean(errors if valid is None else masked_mean(errors, valid, axis=1))


def own(batch: dict[str, tf.Tensor]):
    """The run's images of a batch, and their widths or None."""
    return batch["image"], batch.get("width")
