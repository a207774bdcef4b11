"""Building blocks of encoders: convolutions and Transformer blocks that mask the padding of lines."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers, ops

from seqclr.data.images import channels_read
from seqclr.nn.norm import batch_norm
from seqclr.nn.policy import kept_policy

LAB = "_lab"  # suffix of the names of encoders of two halves
serializable = keras.saving.register_keras_serializable(package="seqclr")


class Encoder(keras.Model):
    """An encoder of images of one size; Keras saves it (`encoder.save("encoder.keras")`) and loads it.

    Call: images `uint8 [B, height, width, 3]`, RGB, to features `[B, T, dim]` and a mask `bool [B, T]` or None.
    `keras.saving.load_model` finds the class once `seqclr.nn.encoders` is imported.

    lines: whether it encodes text lines. grid: rows and columns of the CNN's frames in an image. channels: of the
    network's input. 1: it sees the luminance of the images. 4: the images have a fourth channel, depth. Other multiples
    of 3: images of so many channels are a stack of frames; an image of 3 is repeated.
    """

    lines = False

    def __init__(self, height: int, width: int, channels: int = 3, **kwargs):
        super().__init__(**kwargs)
        self.height, self.width, self.channels = height, width, channels

    def sizes(self) -> dict[str, int]:
        """The sizes of the input, for `get_config`."""
        return {"height": self.height, "width": self.width, "channels": self.channels}

    def network_input(self, images):
        """What `sees`, a function of images, gives."""
        if images.shape[-1] < self.channels:
            images = ops.tile(images, (1, 1, 1, self.channels // images.shape[-1]))
        return ops.cast(self.sees(images), self.compute_dtype)

    def blank(self) -> tf.Tensor:
        """A black image, `uint8 [1, height, width, C]`."""
        return tf.zeros((1, self.height, self.width, channels_read(self.channels)), tf.uint8)

    def make_weights(self) -> None:
        """Creates all variables and sets `grid`."""
        image = self.blank()
        frames, _ = self(image)
        self.grid = (1, frames.shape[1]) if self.lines else tuple(self.map(image).shape[1:3])

    @classmethod
    def from_config(cls, config):
        """Builds all layers with the dtype policy of the configuration, not that of the process."""
        config = keras.saving.deserialize_keras_object(config)
        with kept_policy():
            keras.mixed_precision.set_dtype_policy(config["dtype"])
            encoder = cls(**config)
            encoder.make_weights()
        return encoder

    def build_from_config(self, config):
        """Does nothing: `from_config` has built all layers."""


@serializable
def scaled(images):
    """Images `uint8 [B, H, W, 3]` as floats of -1 to 1."""
    return ops.cast(images, "float32") / 127.5 - 1.0


@serializable
def luminance(images):
    """Luminance (ITU-R BT.601) of RGB images as floats of -1 to 1, `[B, H, W, 1]`."""
    return ops.sum(scaled(images) * ops.array([0.299, 0.587, 0.114]), axis=-1, keepdims=True)


@serializable
def first_three(images):
    """The colours of images with depth, as floats of -1 to 1, `[B, H, W, 3]`."""
    return scaled(images[..., :3])


@serializable
def depth(images):
    """The depth of images with depth, as floats of -1 to 1, `[B, H, W, 1]`."""
    return scaled(images[..., 3:])


def column_mask(widths, columns: int, stride: int):
    """The columns, after a stride, that are no padding, `bool [B, columns]`. None without widths."""
    if widths is None:
        return None
    filled = (ops.cast(widths, "int32") + stride - 1) // stride
    return ops.arange(columns)[None, :] < filled[:, None]


def hide(x, valid):
    """Sets the padding of `[B, H, W, C]` to zero."""
    return x if valid is None else x * ops.cast(valid, x.dtype)[:, None, :, None]


@serializable
class ConvNorm(layers.Layer):
    """Convolution without bias, batch norm, and ReLU if `activation`; padding is masked in both."""

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


@serializable
class Residual(layers.Layer):
    """Two 3x3 convolutions and a shortcut.

    strides: down and across, or one for both. scale: columns of the image for a column of the input.
    """

    def __init__(self, channels: int, strides, scale: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.across, self.scale = strides[1] if isinstance(strides, tuple) else strides, scale
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
        after = column_mask(widths, -(-columns // self.across), self.scale * self.across)
        return column_mask(widths, columns, self.scale), after


@serializable
class Positions(layers.Layer):
    """Position embedding of frames: none, a convolution over neighbours, sinusoidal, or a learned table."""

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
    """Sinusoidal embedding `[frames, dim]`, sines first, then cosines. Vaswani et al. 2017, arXiv:1706.03762."""
    rate = ops.exp(-ops.log(10000.0) * ops.arange(dim // 2, dtype="float32") / (dim // 2))
    angle = ops.arange(frames, dtype="float32")[:, None] * rate[None]
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=1)


@serializable
class Dropout(layers.Layer):
    """Keras' dropout, but with a random state at a rate of 0 too, so that checkpoints fit a network of any rate."""

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.random = rate, keras.random.SeedGenerator()

    def call(self, x, training=False):
        return keras.random.dropout(x, self.rate, seed=self.random) if training and self.rate else x


@serializable
class TransformerBlock(layers.Layer):
    """Pre-norm self-attention and MLP.

    ratio: width of the MLP's hidden layer, as a multiple of the features. activation: `relu`, or `gelu` in its tanh
    form: the exact one cannot be exported to ONNX.
    """

    def __init__(self, heads: int, dropout: float, ratio: int = 4, activation: str = "gelu", **kwargs):
        super().__init__(**kwargs)
        self.heads, self.ratio, self.activation = heads, ratio, activation
        self.dropout = Dropout(dropout, name="dropout")

    def build(self, shape):
        dim = shape[-1]
        self.norm1 = layers.LayerNormalization(epsilon=1e-6, name="norm1")
        self.attention = layers.MultiHeadAttention(self.heads, dim // self.heads, name="attention")
        self.norm2 = layers.LayerNormalization(epsilon=1e-6, name="norm2")
        self.expand = layers.Dense(self.ratio * dim, name="expand")
        self.contract = layers.Dense(dim, name="contract")
        self.norm1.build(shape)
        self.attention.build(shape, shape)
        self.norm2.build(shape)
        self.expand.build(shape)
        self.contract.build((*shape[:-1], self.ratio * dim))

    def call(self, x, valid=None, training=False):
        y = self.norm1(x)
        y = self.attention(y, y, attention_mask=None if valid is None else valid[:, None, :], training=training)
        x = x + self.dropout(y, training=training)
        y = self.expand(self.norm2(x))
        y = ops.relu(y) if self.activation == "relu" else ops.gelu(y, approximate=True)
        return x + self.dropout(self.contract(y), training=training)
