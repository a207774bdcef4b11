"""Generators: networks that translate images into those of another domain, and the projections of their patches."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import layers

from seqclr.nn.blocks import column_mask, hide, scaled
from seqclr.nn.heads import mlp
from seqclr.nn.norm import instance_norm


class Generator(keras.Model):
    """Images `[B, H, W, 3]`, 0 to 255, to images `float32` of that shape and range.

    The ResNet of Johnson et al. 2016, arXiv:1603.08155, as in CycleGAN: a convolution, two strided ones, residual
    blocks and two upsamplings, with instance norm. The frames of the text encoder are added to the map before the
    blocks, so that a generator trains the encoder. skips: a U-Net, whose upsamplings see the maps of their size.

    Call: images, the frames `[B, T, D]` of the encoder, and `widths int32 [B]` (filled columns; None: all).
    """

    def __init__(self, encoder: keras.Model, channels: int, blocks: int, skips: bool = False, name: str = "generator"):
        super().__init__(name=name, autocast=False)
        self.skips, self.size = skips, (encoder.height, encoder.width)
        self.stem = _conv(channels, "stem", 7)
        self.down = [_conv(channels * 2**i, f"down{i}", strides=2) for i in (1, 2)]
        self.frames = layers.Dense(-(-encoder.height // 4) * channels * 4, name="frames")
        self.blocks = [_Block(channels * 4, name=f"block{i}") for i in range(blocks)]
        self.up = [_conv(channels * 2**i, f"up{i}") for i in (1, 0)]
        self.pixels = layers.Conv2D(3, 7, padding="same", dtype="float32", name="pixels")
        self(tf.zeros((1, *self.size, 3)), tf.zeros((1, encoder.grid[1], encoder.dim)))

    def call(self, images, frames, widths=None):
        return self.decode(self.encode(images, frames, widths), widths)

    def encode(self, images, frames, widths=None) -> list[tf.Tensor]:
        """The maps of all layers: pixels, first convolution, two strided ones, blocks."""
        maps = [scaled(images)]
        for conv, before, after in zip((self.stem, *self.down), (1, 1, 2), (1, 2, 4)):
            maps.append(_normed(conv, maps[-1], widths, before, after))
        x = self.frames(frames)
        batch, columns = tf.shape(x)[0], x.shape[1]
        x = tf.reshape(x, [batch, columns, maps[-1].shape[1], maps[-1].shape[3]])
        maps[-1] += tf.transpose(x, (0, 2, 1, 3))
        for block in self.blocks:
            maps.append(block(maps[-1], widths))
        return maps

    def decode(self, maps: Sequence[tf.Tensor], widths=None) -> tf.Tensor:
        """The image of the last map."""
        x = maps[-1]
        for conv, scale, skipped in zip(self.up, (2, 1), (maps[2], maps[1])):
            x = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)[:, : skipped.shape[1], : skipped.shape[2]]
            if self.skips:
                x = tf.concat([x, skipped], axis=-1)
            x = _normed(conv, x, widths, scale, scale)
        return 127.5 * (1 + tf.tanh(self.pixels(hide(x, column_mask(widths, x.shape[2], 1)))))

    def compared(self) -> list[tuple[int, int]]:
        """The layers whose patches CUT compares, and their strides: pixels, the two strided convolutions, and a block
        after each third of the blocks."""
        blocks = sorted({3 + -(-part * len(self.blocks) // 3) for part in (1, 2)} - {3})
        return [(0, 1), (2, 2), (3, 4), *((block, 4) for block in blocks)]


class _Block(layers.Layer):
    """Two 3x3 convolutions and a shortcut, at a quarter of the image's size."""

    def __init__(self, channels: int, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = _conv(channels, "first"), _conv(channels, "second")

    def call(self, x, widths=None):
        y = _normed(self.first, x, widths, 4, 4)
        return x + _normed(self.second, y, widths, 4, 4, activation=False)


def _conv(channels: int, name: str, kernel: int = 3, strides: int = 1) -> layers.Conv2D:
    return layers.Conv2D(channels, kernel, strides, "same", use_bias=False, name=name)


def _normed(conv, x, widths, before: int, after: int, activation: bool = True):
    """A convolution, instance norm and ReLU. before, after: the strides of its input and output in the image."""
    x = conv(hide(x, column_mask(widths, x.shape[2], before)))
    x = instance_norm(x, column_mask(widths, x.shape[2], after))
    return tf.nn.relu(x) if activation else x


class PatchProjectors(layers.Layer):
    """A projection of the patches of each map, `[B, P, dims[i]]` to `[B, P, dim]`: two dense layers and LeakyReLU."""

    def __init__(self, dims: Sequence[int], dim: int, name: str = "projectors"):
        super().__init__(name=name)
        self.heads = [mlp((dim, dim), f"projector{i}", size, norm=False) for i, size in enumerate(dims)]
        self.built = True

    def call(self, patches: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        return [head(x) for head, x in zip(self.heads, patches, strict=True)]


def patch_indices(positions: tf.Tensor, size: tuple[int, int], widths, stride: int) -> tf.Tensor:
    """The index of each position in a map of `size`, row by row, `int32 [B, P]`.

    positions: `float32 [B, P, 2]`, rows and columns from 0 to 1 of the image without its padding.
    """
    rows, columns = size
    filled = columns if widths is None else (tf.cast(widths, tf.int32)[:, None] + stride - 1) // stride
    down, across = (
        tf.minimum(tf.cast(share * tf.cast(count, tf.float32), tf.int32), count - 1)  # rounding may reach the count
        for share, count in zip(tf.unstack(positions, axis=-1), (rows, filled))
    )
    return down * columns + across
