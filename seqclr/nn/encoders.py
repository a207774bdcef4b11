"""Encoders: a batch of images to a sequence of frames, `features [B, T, D]` and `mask [B, T]` (None: all are image).

CNN + Transformer for text lines, at any height and width that the CNN's strides (8 down, 4 across) leave something of.
"""

from __future__ import annotations

import dataclasses
import functools

import keras
import tensorflow as tf
from keras import layers, ops

from seqclr.errors import UserError
from seqclr.nn.norm import batch_norm

LAYERS = ("cnn", "transformer")
POSITIONS = ("none", "convolutional", "sinusoidal", "learned")


@dataclasses.dataclass(frozen=True)
class Size:
    """channels: of stem and two stages. blocks: residual blocks of the stages. dim, depth, heads: the Transformer's."""

    channels: tuple[int, int, int]
    blocks: tuple[int, int]
    dim: int
    depth: int
    heads: int


SIZES = {
    "tiny": Size((32, 64, 128), (1, 1), 128, 2, 4),  # 0.8 million parameters at height 32
    "small": Size((48, 96, 192), (1, 2), 192, 4, 6),  # 3 million
    "base": Size((64, 128, 256), (1, 2), 384, 6, 6),  # 12 million
}


def build_encoder(name: str, height: int, width: int, positions: str, dropout: float = 0.1) -> keras.Model:
    """The encoder of that name, built; `grid` is the rows and columns of the page that the CNN's frames stand for, and
    `another()` makes one more of its kind, with weights of its own.

    Raises UserError for an unknown name or a size that leaves no frame.
    """
    if name not in SIZES:
        raise UserError(f"encoder '{name}' is not known: {', '.join(SIZES)}")
    if positions not in POSITIONS:
        raise UserError(f"positions '{positions}' is not known: {', '.join(POSITIONS)}")
    if height < 8 or width < 8:
        raise UserError(f"height {height} and width {width}: at least 8 each, or nothing is left after the CNN")
    encoder = TextEncoder(SIZES[name], positions, dropout, name="encoder")
    page = tf.zeros((1, height, width, 3), tf.uint8)
    encoder.grid = (1, encoder(page)[0].shape[1])
    encoder.height = height
    encoder.another = functools.partial(build_encoder, name, height, width, positions, dropout)
    return encoder


class TextEncoder(keras.Model):
    """CNN over the page, columns to frames, Transformer over the frames.

    Call: images `uint8 [B, H, W, 3]`, `widths int32 [B]` (filled columns; None: all) to features `[B, ceil(W/4), D]`
    and a mask `[B, T]` or None. `layer`: frames of the `transformer`, those of the `cnn` before it, or the `pair` of
    cnn and transformer. Columns of padding are set to zero before every convolution and left out of all statistics, so
    that a line gives the same features however far it is padded.
    """

    STRIDE = 4  # columns of the page that one frame stands for

    def __init__(self, size: Size, positions: str, dropout: float, **kwargs):
        super().__init__(**kwargs)
        stem, first, second = size.channels
        self.stem = ConvNorm(stem, 3, strides=2, name="stem")
        self.blocks = [
            Residual(channels, strides=(2, across) if i == 0 else 1, name=f"stage{stage}_block{i}")
            for stage, (channels, across, count) in enumerate(
                ((first, 2, size.blocks[0]), (second, 1, size.blocks[1])), 1
            )
            for i in range(count)
        ]
        self.columns = layers.Dense(size.dim, name="columns")
        self.positions = Positions(positions, name="positions")
        self.transformer = [TransformerBlock(size.heads, dropout, name=f"transformer{i}") for i in range(size.depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="norm")
        self.dim = size.dim

    def call(self, images, widths=None, training=False, layer="transformer"):
        x = ops.cast(images, self.compute_dtype) / 127.5 - 1.0
        before, after = column_mask(widths, x.shape[2], 1), column_mask(widths, -(-x.shape[2] // 2), 2)
        x = self.stem(x, before, after, training=training)
        for block in self.blocks:
            x = block(x, widths, training=training)
        batch, _, frames, _ = ops.shape(x)
        x = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, frames, x.shape[1] * x.shape[3]))
        mask = column_mask(widths, frames, self.STRIDE)
        columns = self.columns(x)
        if layer == "cnn":
            return columns, mask
        x = self.positions(columns, mask)
        for block in self.transformer:
            x = block(x, mask, training=training)
        x = self.norm(x)
        return ((columns, x) if layer == "pair" else x), mask


def column_mask(widths, columns: int, stride: int):
    """`bool [B, columns]`: which columns, after a stride, still show image. None where all do."""
    if widths is None:
        return None
    filled = (ops.cast(widths, "int32") + stride - 1) // stride
    return ops.arange(columns)[None, :] < filled[:, None]


def hide(x, valid):
    """Sets the padding of `[B, H, W, C]` to zero."""
    return x if valid is None else x * ops.cast(valid, x.dtype)[:, None, :, None]


class ConvNorm(layers.Layer):
    """Convolution without bias and batch norm, both blind to padding; ReLU unless told otherwise."""

    def __init__(self, channels: int, kernel: int, strides=1, activation: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(
            channels, kernel, strides, "same", use_bias=False, kernel_initializer="he_normal", name="conv"
        )
        self.bn = batch_norm(name="bn")
        self.activation = activation

    def call(self, x, before=None, after=None, training=False):
        x = self.bn(self.conv(hide(x, before)), after, training=training)
        return ops.relu(x) if self.activation else x


class Residual(layers.Layer):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int, strides, **kwargs):
        super().__init__(**kwargs)
        self.across = strides[1] if isinstance(strides, tuple) else strides
        self.first = ConvNorm(channels, 3, strides, name="first")
        self.second = ConvNorm(channels, 3, activation=False, name="second")
        self.shortcut = None if strides == 1 else ConvNorm(channels, 1, strides, activation=False, name="shortcut")

    def call(self, x, widths=None, training=False):
        before, after = self._masks(x, widths)
        y = self.first(x, before, after, training=training)
        y = self.second(y, after, after, training=training)
        x = x if self.shortcut is None else self.shortcut(x, before, after, training=training)
        return ops.relu(x + y)

    def _masks(self, x, widths):
        if widths is None:
            return None, None
        columns = x.shape[2]
        # the stem has halved the width once; every stage that strides across doubles the stride
        stride = 2 if self.across == 2 else 4
        after = column_mask(widths, -(-columns // self.across), stride * self.across)
        return column_mask(widths, columns, stride), after


class Positions(layers.Layer):
    """What tells a frame its place: nothing, a convolution over its neighbours, sines, or a learned table."""

    def __init__(self, kind: str, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind

    def build(self, shape):
        _, frames, dim = shape
        if self.kind == "learned":
            self.table = self.add_weight(shape=(frames, dim), initializer="normal", name="table")
        if self.kind == "convolutional":
            self.conv = layers.DepthwiseConv1D(7, padding="same", name="conv")
            self.conv.build(shape)

    def call(self, x, valid=None):
        if valid is not None:
            x = x * ops.cast(valid, x.dtype)[..., None]
        if self.kind == "convolutional":
            return x + self.conv(x)
        if self.kind == "learned":
            return x + ops.cast(self.table, x.dtype)
        if self.kind == "sinusoidal":
            return x + ops.cast(sines(x.shape[1], x.shape[2]), x.dtype)
        return x


def sines(frames: int, dim: int):
    """Vaswani et al. 2017: `[frames, dim]`, sines in the first half, cosines in the second."""
    rate = ops.exp(-ops.log(10000.0) * ops.arange(dim // 2, dtype="float32") / (dim // 2))
    angle = ops.arange(frames, dtype="float32")[:, None] * rate[None]
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=1)


class TransformerBlock(layers.Layer):
    """Pre-norm self-attention and MLP. GELU is the tanh form: the exact one cannot be exported to ONNX."""

    def __init__(self, heads: int, dropout: float, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.dropout = layers.Dropout(dropout, name="dropout")

    def build(self, shape):
        dim = shape[-1]
        self.norm1 = layers.LayerNormalization(epsilon=1e-6, name="norm1")
        self.attention = layers.MultiHeadAttention(self.heads, dim // self.heads, name="attention")
        self.norm2 = layers.LayerNormalization(epsilon=1e-6, name="norm2")
        self.expand = layers.Dense(4 * dim, name="expand")
        self.contract = layers.Dense(dim, name="contract")
        self.norm1.build(shape)
        self.attention.build(shape, shape)
        self.norm2.build(shape)
        self.expand.build(shape)
        self.contract.build((*shape[:-1], 4 * dim))

    def call(self, x, valid=None, training=False):
        y = self.norm1(x)
        y = self.attention(y, y, attention_mask=None if valid is None else valid[:, None, :], training=training)
        x = x + self.dropout(y, training=training)
        y = ops.gelu(self.expand(self.norm2(x)), approximate=True)
        return x + self.dropout(self.contract(y), training=training)
