"""Discriminators of real and generated images."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from seqclr.losses.common import masked_mean
from seqclr.nn.blocks import column_mask, hide


class Discriminator(keras.Model):
    """Images `[B, H, W, 3]` to a logit `float32 [B, 1]`, above 0 for real.

    The strided convolutions of DCGAN, Radford et al. 2016, arXiv:1511.06434, with a fourth of the channels, and without
    batch norm, whose statistics would give away a batch of generated images. lines: a logit per strip of a line, and
    their mean over the strips that are no padding; `widths int32 [B]`: filled columns (None: all).
    """

    def __init__(self, height: int, width: int, lines: bool):
        super().__init__(name="discriminator")
        self.lines = lines
        self.convs = [
            layers.Conv2D(channels, 4, 2, "same", name=f"conv{i}") for i, channels in enumerate((32, 64, 128))
        ]
        self.relu = layers.LeakyReLU(negative_slope=0.2, name="relu")
        self.score = layers.Dense(1, dtype="float32", name="score")
        self(tf.zeros((1, height, width, 3)))

    def call(self, x, widths=None):
        shown = column_mask(widths, x.shape[2], 1)
        for i, conv in enumerate(self.convs, 1):
            x = self.relu(conv(hide(x, shown)))
            shown = column_mask(widths, x.shape[2], 2**i)
        if not self.lines:
            return self.score(tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]]))
        strips = tf.reshape(tf.transpose(x, (0, 2, 1, 3)), [-1, x.shape[2], x.shape[1] * x.shape[3]])
        scores = self.score(strips)[..., 0]
        return masked_mean(scores, tf.ones_like(scores, tf.bool) if shown is None else shown, axis=1)[:, None]
