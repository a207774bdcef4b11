"""Encoders of natural images, with the interface of the text encoders: an image is a sequence of one frame."""

from __future__ import annotations

import functools

import keras
import tensorflow as tf
from keras import layers, ops

from seqclr.errors import UserError
from seqclr.nn.blocks import LAB, ConvNorm, Encoder, Positions, Residual, TransformerBlock, scaled, serializable

SMALL = 64  # pixels: up to this side a network keeps the resolution in its stem, as those for CIFAR do
NO_PADDING = "resize=pad: an image encoder cannot tell padding from image, so set resize=stretch"


@serializable
class ImageEncoder(Encoder):
    """A network of IMAGE_ENCODERS, whose parts turn images into a feature map.

    Call: images `uint8 [B, H, W, 3]` to features and no mask, as TextEncoder. `layer`: `transformer`, for any network,
    is the mean of the map as a single frame, `[B, 1, D]`; `cnn` the positions of the map, row by row, `[B, h * w, D]`;
    `pair` both. sees: the input of the network, a function of images to floats of about -1 to 1.
    """

    def __init__(self, network: str, height: int, width: int, dropout: float, sees=scaled, **kwargs):
        super().__init__(height, width, **kwargs)
        self.network, self.dropout, self.sees = network, dropout, sees
        self.parts, self.dim = IMAGE_ENCODERS[network](max(height, width) <= SMALL, dropout)

    def get_config(self):
        sees = keras.saving.serialize_keras_object(self.sees)
        own = {"network": self.network, "dropout": self.dropout, "sees": sees}
        return {**super().get_config(), **own, **self.sizes()}

    def call(self, images, widths=None, training=False, layer="transformer"):
        if widths is not None:
            raise UserError(NO_PADDING)
        x = self.map(images, training)
        positions = ops.reshape(x, (-1, x.shape[1] * x.shape[2], self.dim))
        if layer == "cnn":
            return positions, None
        image = ops.mean(positions, axis=1, keepdims=True)
        return ((positions, image) if layer == "pair" else image), None

    def map(self, images, training=False):
        """The feature map `[B, h, w, D]` of images."""
        x = self.network_input(images)
        for part in self.parts:
            x = part(x, training=training)
        return x

    def visible(self, images, kept, training=False):
        """Features `[B, n, D]` of the positions `kept: int32 [B, n]` alone, of a Transformer."""
        patches, transformer = self.parts
        return transformer(patches(self.network_input(images)), kept=kept, training=training)


# Networks: the parts and the feature size, for small images or others; share: 2 for half the width


def resnet9(small: bool, dropout: float, share: int = 1) -> tuple[list[layers.Layer], int]:
    """A ResNet for CPUs: one basic block per stage, half the channels. 1.2 million parameters."""
    return _resnet(32 // share, small, Residual, (1, 1, 1, 1)), 256 // share


def resnet18(small: bool, dropout: float, share: int = 1) -> tuple[list[layers.Layer], int]:
    """He et al. 2016, arXiv:1512.03385. 11 million parameters."""
    return _resnet(64 // share, small, Residual, (2, 2, 2, 2)), 512 // share


def resnet50(small: bool, dropout: float, share: int = 1) -> tuple[list[layers.Layer], int]:
    """He et al. 2016, arXiv:1512.03385, the stride at the 3x3 convolution. 23.5 million parameters."""
    return _resnet(64 // share, small, Bottleneck, (3, 4, 6, 3)), 2048 // share


def alexnet(small: bool, dropout: float, share: int = 1) -> tuple[list[layers.Layer], int]:
    """The convolutions of Krizhevsky et al. 2012: batch norm in place of local response normalization, no dense
    layers; the first is 3x3 where images are small. 3.7 million parameters."""
    return [
        Pooled(96 // share, 3, name="conv1") if small else Pooled(96 // share, 11, 4, name="conv1"),
        Pooled(256 // share, 5, name="conv2"),
        ConvNorm(384 // share, 3, name="conv3"),
        ConvNorm(384 // share, 3, name="conv4"),
        Pooled(256 // share, 3, name="conv5"),
    ], 256 // share


def vit_tiny(small: bool, dropout: float, share: int = 1) -> tuple[list[layers.Layer], int]:
    """Dosovitskiy et al. 2021, arXiv:2010.11929, in the size of DeiT-Ti (Touvron et al. 2021, arXiv:2012.12877), with
    the mean of its positions in place of a class token. 5.4 million parameters."""
    dim, depth, heads = 192 // share, 12, 3
    return [
        layers.Conv2D(dim, 4 if small else 16, 4 if small else 16, "same", name="patches"),
        Transformer(depth, heads, dropout, name="transformer"),
    ], dim


NETWORKS = (resnet9, resnet18, resnet50, alexnet, vit_tiny)
IMAGE_ENCODERS = {f.__name__: f for f in NETWORKS}
IMAGE_ENCODERS |= {f"{f.__name__}{LAB}": functools.partial(f, share=2) for f in NETWORKS}  # a half


def _resnet(channels: int, small: bool, block: type[layers.Layer], counts: tuple[int, ...]) -> list[layers.Layer]:
    """A stem, which reduces images that are not small by 4, and four stages, each but the first of which halves the
    size."""
    stem = ConvNorm(channels, 3, name="stem") if small else Pooled(channels, 7, 2, name="stem")
    return [stem] + [
        block(channels * 2**stage, (1 if stage == 0 else 2) if i == 0 else 1, name=f"stage{stage + 1}_block{i}")
        for stage, count in enumerate(counts)
        for i in range(count)
    ]


@serializable
class Pooled(ConvNorm):
    """A convolution and 3x3 max pooling with stride 2."""

    def call(self, x, training=False):
        return ops.max_pool(super().call(x, training=training), 3, 2, "same")


@serializable
class Bottleneck(layers.Layer):
    """A bottleneck block: convolutions of 1x1, 3x3 and 1x1, the last with four times the channels, and a shortcut."""

    def __init__(self, channels: int, strides: int, **kwargs):
        super().__init__(**kwargs)
        self.inner = [
            ConvNorm(channels, 1, name="reduce"),
            ConvNorm(channels, 3, strides, name="middle"),
            ConvNorm(4 * channels, 1, activation=False, name="expand"),
        ]
        self.channels, self.strides = channels, strides

    def build(self, shape):
        alike = self.strides == 1 and shape[-1] == 4 * self.channels
        shortcut = ConvNorm(4 * self.channels, 1, self.strides, activation=False, name="shortcut")
        self.shortcut = None if alike else shortcut

    def call(self, x, training=False):
        y = x
        for part in self.inner:
            y = part(y, training=training)
        return ops.relu(y + (x if self.shortcut is None else self.shortcut(x, training=training)))


@serializable
class Transformer(layers.Layer):
    """Learned position embeddings and Transformer blocks on the positions of a feature map."""

    def __init__(self, depth: int, heads: int, dropout: float, **kwargs):
        super().__init__(**kwargs)
        self.positions = Positions("learned", name="positions")
        self.blocks = [TransformerBlock(heads, dropout, name=f"block{i}") for i in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="norm")

    def call(self, x, kept=None, training=False):
        """kept: `int32 [B, n]`, the positions to encode, into `[B, n, D]`; None: all, into a map."""
        _, height, width, dim = x.shape
        x = self.positions(ops.reshape(x, (-1, height * width, dim)))
        if kept is not None:
            x = tf.gather(x, kept, batch_dims=1)
        for block in self.blocks:
            x = block(x, training=training)
        return self.norm(x) if kept is not None else ops.reshape(self.norm(x), (-1, height, width, dim))
