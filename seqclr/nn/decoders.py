"""Decoders of features into pixels."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from seqclr.nn.blocks import ConvNorm, Positions, TransformerBlock
from seqclr.nn.heads import SLOPE

MOST, FEWEST = 128, 16  # channels at the size of the feature map, halved at each upsampling; their minimum


def build_decoder(encoder: keras.Model, layer: str, channels: int = 3) -> keras.Sequential:
    """A decoder of the features `encoder(..., layer=layer)` into pixels around 0, `float32 [B, H, W, channels]`."""
    return strip_decoder(encoder, channels) if encoder.lines else image_decoder(encoder, layer, channels)


def strip_decoder(encoder: keras.Model, channels: int) -> keras.Sequential:
    """A dense decoder of each frame `[B, T, D]` of a line into its columns; those beyond the image are cropped."""
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


def image_decoder(encoder: keras.Model, layer: str, channels: int) -> keras.Sequential:
    """A convolutional decoder of the feature map (layer `cnn`, `[B, h * w, D]`), or of the single frame (`transformer`,
    `[B, 1, D]`): upsampling by 2 to each size that the encoder went through, with a 3x3 convolution at each."""
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


class PromptedDecoder(layers.Layer):
    """Transformer blocks on frames, with a learned vector for what to decode that is added to every frame.

    Call: features `[B, T, dim]`, prompt `int32 [B]` and mask `bool [B, T]` or None, to `[B, T, dim]`.
    """

    def __init__(self, dim: int, depth: int, heads: int, prompts: int, **kwargs):
        super().__init__(**kwargs)
        self.prompts = self.add_weight(shape=(prompts, dim), initializer="normal", name="prompts")
        self.blocks = [TransformerBlock(heads, 0.0, name=f"block{i}") for i in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="norm")

    def call(self, features, prompt, mask=None, training=False):
        vectors = tf.matmul(tf.one_hot(prompt, self.prompts.shape[0]), tf.cast(self.prompts, tf.float32))
        x = features + tf.cast(vectors[:, None], features.dtype)
        for block in self.blocks:
            x = block(x, mask, training=training)
        return self.norm(x)


class PatchDecoder(layers.Layer):
    """Transformer blocks on the features of the visible patches, with a learned mask token for each hidden one.

    Call: features `[B, n, D]` and `hidden: bool [B, L]`, of which n are false, to pixels `float32 [B, L, size]`.
    He et al. 2022 (MAE), arXiv:2111.06377.
    """

    def __init__(self, dim: int, depth: int, heads: int, size: int, **kwargs):
        super().__init__(**kwargs)
        self.narrow = layers.Dense(dim, name="narrow")
        self.positions = Positions("learned", name="positions")
        self.blocks = [TransformerBlock(heads, 0.0, name=f"block{i}") for i in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="norm")
        self.pixels = layers.Dense(size, dtype="float32", name="pixels")
        self.token = self.add_weight(shape=(dim,), initializer="normal", name="token")

    def call(self, features, hidden, training=False):
        x = self.narrow(features)
        rest = tf.fill([tf.shape(x)[0], hidden.shape[1] - x.shape[1], 1], tf.cast(1, x.dtype)) * self.token
        visible_first = tf.argsort(tf.cast(hidden, tf.int32), stable=True)
        order = tf.argsort(visible_first)  # the inverse: each patch at its own position
        x = self.positions(tf.gather(tf.concat([x, rest], axis=1), order, batch_dims=1))
        for block in self.blocks:
            x = block(x, training=training)
        return self.pixels(self.norm(x))
