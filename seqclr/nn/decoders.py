"""Decoders: from an encoder's features back to pixels."""

from __future__ import annotations

import keras
from keras import layers

from seqclr.nn.blocks import ConvNorm
from seqclr.nn.heads import SLOPE
from seqclr.nn.image_encoders import ImageEncoder

MOST, FEWEST = 128, 16  # channels of a picture at the size of the map, halved whenever it grows, and at the least


def build_decoder(encoder: keras.Model, layer: str, channels: int = 3) -> keras.Sequential:
    """From features, as `encoder(..., layer=layer)` gives them, to pixels around 0, `float32 [B, H, W, channels]`."""
    if isinstance(encoder, ImageEncoder):
        return picture_decoder(encoder, layer, channels)
    return strip_decoder(encoder, channels)


def strip_decoder(encoder: keras.Model, channels: int) -> keras.Sequential:
    """Each frame of a line draws its strip, which may reach beyond the page: `[B, T, D]` to `[B, H, W, channels]`."""
    columns = encoder.grid[1] * encoder.STRIDE
    parts = [
        layers.Dense(2 * encoder.dim, name="dense"),
        layers.LeakyReLU(negative_slope=SLOPE, name="relu"),
        layers.Dense(encoder.STRIDE * encoder.height * channels, dtype="float32", name="pixels"),
        layers.Reshape((columns, encoder.height, channels), dtype="float32"),
        layers.Permute((2, 1, 3), dtype="float32"),
        layers.Cropping2D(((0, 0), (0, columns - encoder.width)), dtype="float32"),
    ]
    return _built(parts, encoder.grid[1], encoder.dim)


def picture_decoder(encoder: keras.Model, layer: str, channels: int) -> keras.Sequential:
    """A picture grows from its map (layer `cnn`, `[B, h * w, D]`), or from one made of its one frame (`transformer`,
    `[B, 1, D]`), by the sizes that strides of 2 gave the encoder, with a 3x3 convolution at each."""
    sizes = [(encoder.height, encoder.width)]
    while sizes[0][0] > encoder.grid[0]:
        sizes.insert(0, tuple(-(-length // 2) for length in sizes[0]))
    if layer == "cnn":
        parts, frames = [layers.Reshape((*encoder.grid, encoder.dim))], encoder.grid[0] * encoder.grid[1]
    else:
        parts, frames = [layers.Flatten(), layers.Dense(sizes[0][0] * sizes[0][1] * MOST, name="map")], 1
        parts.append(layers.Reshape((*sizes[0], MOST)))
    for i, (height, width) in enumerate(sizes):
        if i:
            above = ((0, 2 * sizes[i - 1][0] - height), (0, 2 * sizes[i - 1][1] - width))
            parts += [layers.UpSampling2D(2, interpolation="nearest"), layers.Cropping2D(above)]
        parts.append(ConvNorm(max(FEWEST, MOST >> i), 3, name=f"conv{i}"))
    parts.append(layers.Conv2D(channels, 3, padding="same", dtype="float32", name="pixels"))
    return _built(parts, frames, encoder.dim)


def _built(parts: list[layers.Layer], frames: int, dim: int) -> keras.Sequential:
    decoder = keras.Sequential(parts, name="decoder")
    decoder.build((None, frames, dim))
    return decoder
