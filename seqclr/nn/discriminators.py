"""Discriminators: whether a picture is true or drawn."""

from __future__ import annotations

import keras
from keras import layers


def build_discriminator(height: int, width: int) -> keras.Sequential:
    """Of pictures `[B, H, W, 3]` a logit `float32 [B, 1]`, above 0 where they are taken for true.

    The strided convolutions of DCGAN, Radford et al. 2016, arXiv:1511.06434, but a fourth of their channels, and no
    batch norm, by which a batch of drawings would be told from one of true pictures.
    """
    parts: list[layers.Layer] = []
    for i, channels in enumerate((32, 64, 128)):
        parts.append(layers.Conv2D(channels, 4, 2, "same", name=f"conv{i}"))
        parts.append(layers.LeakyReLU(negative_slope=0.2, name=f"relu{i}"))
    parts += [layers.Flatten(), layers.Dense(1, dtype="float32", name="score")]
    discriminator = keras.Sequential(parts, name="discriminator")
    discriminator.build((None, height, width, 3))
    return discriminator
