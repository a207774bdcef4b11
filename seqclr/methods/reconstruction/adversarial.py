"""What methods share whose drawings have to pass for true."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.reconstruction.base import Reconstruction
from seqclr.nn.discriminators import Discriminator


@dataclass
class Adversarial(Reconstruction):
    """A discriminator learns to tell what is drawn from what is true: Goodfellow et al. 2014, arXiv:1406.2661."""

    adversaries = frozenset({"discriminator"})

    adversarial: float = key(0.001, "weight of passing for true before the discriminator", least=0, most=1)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.discriminator = Discriminator(encoder.height, encoder.width, encoder.lines)

    def judge(self, true: tf.Tensor, drawn: tf.Tensor, widths: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """The loss of the drawing side, whose pictures should pass for true, and that of the discriminator."""
        is_true, is_drawn = (self.discriminator(x, widths) for x in (true, drawn))
        told = tf.reduce_mean(tf.nn.softplus(-is_true)) + tf.reduce_mean(tf.nn.softplus(is_drawn))
        return tf.reduce_mean(tf.nn.softplus(-is_drawn)), told
