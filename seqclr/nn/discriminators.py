"""Discriminators of real and generated images."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from seqclr.losses.common import masked_mean
from seqclr.nn.blocks import column_mask, hide, scaled
from seqclr.nn.norm import instance_norm


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


class PatchDiscriminator(keras.Model):
    """Images `[B, H, W, channels]`, 0 to 255, to a score of each patch, `float32 [B, h, w]`, high for real, and the
    columns of scores that are no padding, `bool [B, w]` or None.

    The PatchGAN of Isola et al. 2017, arXiv:1611.07004, with one strided convolution less and half of the channels: a
    score depends on 34x34 pixels, the full height of a line of 32 rows. There it is 70x70 of 256x256.
    """

    def __init__(self, height: int, width: int, channels: int = 3, name: str = "discriminator"):
        super().__init__(name=name, autocast=False)
        self.strides = (2, 2, 1)
        self.convs = [
            layers.Conv2D(units, 4, stride, "same", use_bias=i == 0, name=f"conv{i}")  # instance norm needs no bias
            for i, (units, stride) in enumerate(zip((32, 64, 128), self.strides))
        ]
        self.score = layers.Conv2D(1, 4, padding="same", dtype="float32", name="score")
        self(tf.zeros((1, height, width, channels)))

    def call(self, x, widths=None):
        x, scale = scaled(x), 1
        shown = column_mask(widths, x.shape[2], scale)
        for i, (conv, stride) in enumerate(zip(self.convs, self.strides)):
            x, scale = conv(hide(x, shown)), scale * stride
            shown = column_mask(widths, x.shape[2], scale)
            x = instance_norm(x, shown) if i else x
            x = tf.maximum(0.2 * x, x)  # Keras' LeakyReLU after a bias makes TensorFlow print errors of its optimizer
        return self.score(hide(x, shown))[..., 0], shown
