"""The least of networks, which tests train in seconds."""

import contextlib
import functools
from unittest import mock

import keras

from seqclr.nn.blocks import ConvNorm
from seqclr.nn.encoders import SIZES, Size
from seqclr.nn.image_encoders import IMAGE_ENCODERS, Transformer


def least_picture(small, dropout, share=1):
    """Two convolutions, of which the first halves the size."""
    return [ConvNorm(32 // share, 3, 2, name="conv0"), ConvNorm(32 // share, 3, name="conv1")], 32 // share


def least_vit(small, dropout):
    """One block of vit_tiny, and an eighth of its width."""
    return [keras.layers.Conv2D(24, 4, 4, "same"), Transformer(1, 3, dropout)], 24


LEAST = Size((16, 32, 32), (1, 0), 64, 1, 2)  # traced in half the time of the smallest that is offered
OF_LINES = {"least": LEAST, "least_lab": LEAST.half()}
OF_IMAGES = {
    "least_vit": least_vit,
    "least_picture": least_picture,
    "least_picture_lab": functools.partial(least_picture, share=2),
}


@contextlib.contextmanager
def offered():
    """They are encoders by name, as long as this is open."""
    with mock.patch.dict(SIZES, OF_LINES), mock.patch.dict(IMAGE_ENCODERS, OF_IMAGES):
        yield
