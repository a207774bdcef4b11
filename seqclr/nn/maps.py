"""Heads on feature maps of natural images, and pooling of maps."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from seqclr.nn import frames
from seqclr.nn.blocks import ConvNorm

HIDDEN = 128  # channels of a head


def output_size(encoder: keras.Model) -> tuple[int, int]:
    """Rows and columns of a map head's output."""
    return tuple(max(n, side // 4) for n, side in zip(encoder.grid, (encoder.height, encoder.width)))


def map_head(name: str, dim: int, grid: tuple[int, int], size: tuple[int, int], outputs: int) -> keras.Sequential:
    """A head from the positions of a feature map, `[B, h * w, dim]`, to `float32 [B, *size, outputs]`."""
    parts = [
        layers.Reshape((*grid, dim), name="map"),
        ConvNorm(HIDDEN, 3, name="conv0"),
        layers.Resizing(*size, name="larger"),
        ConvNorm(HIDDEN, 3, name="conv1"),
        layers.Conv2D(outputs, 1, dtype="float32", name="answer"),
    ]
    head = keras.Sequential(parts, name=name)
    head.build((None, grid[0] * grid[1], dim))
    return head


def shrunk(x: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Average pooling of `[B, H, W, C]` to `[B, *size, C]`."""
    down, across = (frames.windows(f"windows:{n}", length) for n, length in zip(size, x.shape[1:3]))
    total = down.sum(1)[:, None] * across.sum(1)
    return tf.einsum("rh,cw,bhwd->brcd", down, across, x) / total[..., None]
