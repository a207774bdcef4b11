"""Encoders of images into sequences of frames, `features [B, T, D]` and `mask [B, T]` (None: no padding).

A CNN (strides 8 down, 4 across) and a Transformer for text lines of any height and width. Encoders of natural images
are in image_encoders.py. Each has a variant of two halves, such as `tiny_lab` of `tiny`.
"""

from __future__ import annotations

import dataclasses
import functools

import keras
from keras import layers, ops

from seqclr.errors import UserError
from seqclr.nn.blocks import (
    LAB,
    ConvNorm,
    Encoder,
    Positions,
    Residual,
    TransformerBlock,
    column_mask,
    depth,
    first_three,
    luminance,
    scaled,
    serializable,
)
from seqclr.nn.colours import colour, lightness
from seqclr.nn.image_encoders import IMAGE_ENCODERS, ImageEncoder

LAYERS = ("cnn", "transformer")
POSITIONS = ("none", "convolutional", "sinusoidal", "learned")


@dataclasses.dataclass(frozen=True)
class Size:
    """channels: of stem and two stages. blocks: residual blocks of the stages. dim, depth, heads: the Transformer's,
    and its MLP's ratio and activation. stem: kernel size and stride of the first convolution.
    """

    channels: tuple[int, int, int]
    blocks: tuple[int, int]
    dim: int
    depth: int
    heads: int
    stem: tuple[int, int] = (3, 2)
    ratio: int = 4
    activation: str = "gelu"

    def half(self) -> Size:
        """The size of the same depth and half the width."""
        channels = tuple(n // 2 for n in self.channels)
        return dataclasses.replace(self, channels=channels, dim=self.dim // 2, heads=self.heads // 2)


SIZES = {
    "tiny": Size((32, 64, 128), (1, 1), 128, 2, 4),  # 0.8 million parameters at height 32
    "small": Size((48, 96, 192), (1, 2), 192, 4, 6),  # 3 million
    "base": Size((64, 128, 256), (1, 2), 384, 6, 6),  # 12 million
    "fast": Size((48, 64, 96), (1, 1), 96, 2, 4, (8, 4), 3, "relu"),  # 0.4 million, at half the time of tiny
}
SIZES |= {f"{name}{LAB}": size.half() for name, size in SIZES.items()}  # a half


def build_encoder(
    name: str, height: int, width: int, positions: str, dropout: float = 0.1, channels: int = 3
) -> Encoder:
    """Builds the encoder of a name for images of a size.

    positions: of encoders of lines. channels: of the input, as of Encoder; with 4, the halves see colours and depth.
    Raises UserError for an unknown name, a size that leaves no frame, and channels that do not suit the name.
    """
    if name not in (*SIZES, *IMAGE_ENCODERS):
        raise UserError(f"encoder '{name}' is not known: {', '.join((*SIZES, *IMAGE_ENCODERS))}")
    if positions not in POSITIONS:
        raise UserError(f"positions '{positions}' is not known: {', '.join(POSITIONS)}")
    if height < 8 or width < 8:
        raise UserError(f"height {height} and width {width}: at least 8 each, or nothing is left after the CNN")
    check_channels(name, channels)
    if name in SIZES:
        make = functools.partial(TextEncoder, SIZES[name], positions, dropout, height, width, channels=channels)
    else:
        make = functools.partial(ImageEncoder, name, height, width, dropout, channels=channels)
    if name.endswith(LAB):
        halves = {"rgb": first_three, "depth": depth} if channels == 4 else {"light": lightness, "colour": colour}
        encoder = Halves(*(make(sees=sees, name=half) for half, sees in halves.items()), name="encoder")
    else:
        encoder = make(sees=luminance if channels == 1 else scaled, name="encoder")
    encoder.make_weights()
    return encoder


def check_channels(name: str, channels: int) -> None:
    """Raises UserError for channels that the encoder of a name cannot have."""
    if channels not in (1, 4) and channels % 3:
        raise UserError(
            f"channels {channels}: 1 (gray), 3 (RGB), 4 (RGB and depth), or a multiple of 3 (a stack of differences)"
        )
    if name.endswith(LAB) != (channels == 4) and channels != 3:
        takes = "channels=3 or 4, with depth" if name.endswith(LAB) else f"channels=4 with an encoder of halves ({LAB})"
        raise UserError(f"channels {channels} and encoder '{name}': take {takes}")


@serializable
class TextEncoder(Encoder):
    """A CNN over the image, whose columns are frames, and a Transformer over the frames.

    Call: images `uint8 [B, H, W, 3]`, `widths int32 [B]` (filled columns; None: all) to features `[B, ceil(W/4), D]`
    and a mask `[B, T]` or None. `layer`: frames of the `transformer`, those of the `cnn` before it, or the `pair` of
    cnn and transformer. Columns of padding are set to zero before every convolution and excluded from all statistics,
    so that the features of a line do not depend on its padding. sees: the input of the network, a function of images to
    floats of about -1 to 1.
    """

    STRIDE = 4  # columns of the image per frame
    lines = True

    def __init__(self, size: Size, positions: str, dropout: float, height: int, width: int, sees=scaled, **kwargs):
        super().__init__(height, width, **kwargs)
        size = Size(**size) if isinstance(size, dict) else size  # as `get_config` gives it
        self.size, self.kind, self.dropout, self.sees = size, positions, dropout, sees
        kernel, stride = size.stem
        self.stem = ConvNorm(size.channels[0], kernel, strides=stride, name="stem")
        self.blocks = []
        for stage, (channels, count) in enumerate(zip(size.channels[1:], size.blocks), 1):
            for i in range(count):
                strides = 1 if i else (2, self.STRIDE // stride)
                self.blocks.append(Residual(channels, strides, stride, name=f"stage{stage}_block{i}"))
                stride = self.STRIDE
        self.columns = layers.Dense(size.dim, name="columns")
        self.positions = Positions(positions, name="positions")
        self.transformer = [
            TransformerBlock(size.heads, dropout, size.ratio, size.activation, name=f"transformer{i}")
            for i in range(size.depth)
        ]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="norm")
        self.dim = size.dim

    def get_config(self):
        sees = keras.saving.serialize_keras_object(self.sees)
        own = {"size": dataclasses.asdict(self.size), "positions": self.kind, "dropout": self.dropout, "sees": sees}
        return {**super().get_config(), **own, **self.sizes()}

    def call(self, images, widths=None, training=False, layer="transformer"):
        x = self.network_input(images)
        stride = self.size.stem[1]
        before, after = column_mask(widths, x.shape[2], 1), column_mask(widths, -(-x.shape[2] // stride), stride)
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


@serializable
class Halves(Encoder):
    """Two encoders of half the width, of lightness and of colour (a and b of CIE Lab) or of colours and of depth, whose
    features are concatenated. Zhang et al. 2017 (split-brain autoencoders), arXiv:1611.09842.

    Call: as each of `halves`, which take the same images.
    """

    STRIDE = TextEncoder.STRIDE  # of encoders of lines

    def __init__(self, light: Encoder, colour: Encoder, **kwargs):
        super().__init__(light.height, light.width, light.channels, **kwargs)
        self.halves, self.dim, self.lines = [light, colour], light.dim + colour.dim, light.lines

    def get_config(self):
        light, colour = map(keras.saving.serialize_keras_object, self.halves)
        return {**super().get_config(), "light": light, "colour": colour}

    def call(self, images, widths=None, training=False, layer="transformer"):
        (light, mask), (colour, _) = (half(images, widths, training=training, layer=layer) for half in self.halves)
        if layer == "pair":
            return tuple(ops.concatenate(both, axis=-1) for both in zip(light, colour)), mask
        return ops.concatenate([light, colour], axis=-1), mask

    def map(self, images, training=False):
        """The concatenated feature maps of encoders of natural images."""
        return ops.concatenate([half.map(images, training) for half in self.halves], axis=-1)
