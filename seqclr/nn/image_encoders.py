"""Encoders of pictures, with the interface of the text encoders: a picture of a cat is a sequence of one frame."""

from __future__ import annotations

import functools

import keras
import tensorflow as tf
from keras import layers, ops

from seqclr.errors import UserError
from seqclr.nn.blocks import LAB, ConvNorm, Encoder, Positions, Residual, TransformerBlock, scaled, serializable

SMALL = 64  # pixels: up to such a side a network starts gently, as those for CIFAR do
NO_PADDING = "resize=pad: an image encoder cannot tell padding from image, so set resize=stretch"


@serializable
class ImageEncoder(Encoder):
    """The parts of a network of IMAGE_ENCODERS, one after the other: images to a map of features.

    Call: images `uint8 [B, H, W, 3]` to features and no mask, as TextEncoder gives them. `layer`: of the `transformer`,
    whatever the network is made of, the mean of the map as the image's one frame, `[B, 1, D]`; of the `cnn` the
    positions of the map, row by row, `[B, h * w, D]`; or the `pair` of both.
    sees: what of the images, floats of about -1 to 1.
    """

    def __init__(self, network: str, height: int, width: int, dropout: float, sees=scaled, **kwargs):
        super().__init__(height, width, **kwargs)
        self.network, self.dropout, self.sees = network, dropout, sees
        self.parts, self.dim = IMAGE_ENCODERS[network](max(height, width) <= SMALL, dropout)

    def get_config(self):
        sees = keras.saving.serialize_keras_object(self.sees)
        own = {"network": self.network, "dropout": self.dropout, "sees": sees}
        return {**super().get_config(), **own, "height": self.height, "width": self.width}

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
        """`[B, h, w, D]` of images."""
        x = ops.cast(self.sees(images), self.compute_dtype)
        for part in self.parts:
            x = part(x, training=training)
        return x

    def visible(self, images, kept, training=False):
        """Of a Transformer the positions `kept: int32 [B, n]` of the map, `[B, n, D]`, which see no others."""
        patches, transformer = self.parts
        return transformer(patches(ops.cast(self.sees(images), self.compute_dtype)), kept=kept, training=training)


# networks: for images that are small or not, their parts and the size of a feature; share: 2 for half of the width


def resnet9(small: bool, dropout: float, share: int = 1) -> tuple[list[layers.Layer], int]:
    """Ours, for two cores: a ResNet with one basic block a stage and half of the channels. 1.2 million parameters."""
    return _resnet(32 // share, small, Residual, (1, 1, 1, 1)), 256 // share


def resnet18(small: bool, dropout: float, share: int = 1) -> tuple[list[layers.Layer], int]:
    """He et al. 2016, arXiv:1512.03385. 11 million parameters."""
    return _resnet(64 // share, small, Residual, (2, 2, 2, 2)), 512 // share


def resnet50(small: bool, dropout: float, share: int = 1) -> tuple[list[layers.Layer], int]:
    """He et al. 2016, arXiv:1512.03385, the stride at the 3x3 convolution. 23.5 million parameters."""
    return _resnet(64 // share, small, Bottleneck, (3, 4, 6, 3)), 2048 // share


def alexnet(small: bool, dropout: float, share: int = 1) -> tuple[list[layers.Layer], int]:
    """Krizhevsky et al. 2012, its convolutions alone: batch norm in place of local response normalization, no dense
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
    """A stem, which keeps the size of small images and quarters that of others, and four stages, the later ones of
    which halve it."""
    stem = ConvNorm(channels, 3, name="stem") if small else Pooled(channels, 7, 2, name="stem")
    return [stem] + [
        block(channels * 2**stage, (1 if stage == 0 else 2) if i == 0 else 1, name=f"stage{stage + 1}_block{i}")
        for stage, count in enumerate(counts)
        for i in range(count)
    ]


@serializable
class Pooled(ConvNorm):
    """Its convolution, then 3x3 max pooling that halves the size."""

    def call(self, x, training=False):
        return ops.max_pool(super().call(x, training=training), 3, 2, "same")


@serializable
class Bottleneck(layers.Layer):
    """A 3x3 convolution between two of 1x1, the last with four times the channels, and a shortcut."""

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
    """Learned positions and Transformer blocks on the positions of a map, which keeps its form."""

    def __init__(self, depth: int, heads: int, dropout: float, **kwargs):
        super().__init__(**kwargs)
        self.positions = Positions("learned", name="positions")
        self.blocks = [TransformerBlock(heads, dropout, name=f"block{i}") for i in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="norm")

    def call(self, x, kept=None, training=False):
        """kept: `int32 [B, n]`, the positions that are left, as `[B, n, D]`; None: all, as a map."""
        _, height, width, dim = x.shape
        x = self.positions(ops.reshape(x, (-1, height * width, dim)))
        if kept is not None:
            x = tf.gather(x, kept, batch_dims=1)
        for block in self.blocks:
            x = block(x, training=training)
        return self.norm(x) if kept is not None else ops.reshape(self.norm(x), (-1, height, width, dim))
