"""Base of the methods with an adversarial loss."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.reconstruction.base import Reconstruction
from seqclr.nn.discriminators import Discriminator


@dataclass
class Adversarial(Reconstruction):
    """Reconstruction with a discriminator of original and reconstructed images (Goodfellow et al. 2014,
    arXiv:1406.2661).
    """

    adversaries = frozenset({"discriminator"})

    adversarial: float = key(0.001, "weight of the adversarial loss", least=0, most=1)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.discriminator = Discriminator(encoder.height, encoder.width, encoder.lines)

    def adversarial_losses(
        self, real: tf.Tensor, fake: tf.Tensor, widths: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The losses of the generator (encoder and decoder) and of the discriminator, on images `[B, H, W, 3]`."""
        on_real, on_fake = (self.discriminator(x, widths) for x in (real, fake))
        discriminator_loss = tf.reduce_mean(tf.nn.softplus(-on_real)) + tf.reduce_mean(tf.nn.softplus(on_fake))
        return tf.reduce_mean(tf.nn.softplus(-on_fake)), discriminator_loss
