"""Decoders: exact sizes, and which feature draws what."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn.decoders import build_decoder
from seqclr.nn.encoders import build_encoder

pytestmark = pytest.mark.usefixtures("least_networks")

rng = np.random.default_rng(0)


def changed(decoder, frames, dim, place):
    """Where pixels change with the feature of one frame."""
    features = rng.normal(size=(1, frames, dim)).astype(np.float32)
    other = features.copy()
    other[:, place] += 1
    return np.abs(decoder(features) - decoder(other))[0].max(-1) > 1e-6


@pytest.mark.parametrize(("height", "width"), [(28, 28), (32, 32), (33, 47)])
def test_a_picture_has_the_size_of_the_image_and_grows_from_the_position_of_a_feature(height, width):
    encoder = build_encoder("resnet9", height, width, "none")
    rows, columns = encoder.grid
    decoder = build_decoder(encoder, "cnn")
    assert decoder(tf.zeros((2, rows * columns, encoder.dim))).shape == (2, height, width, 3)
    for row, column in ((0, 0), (rows - 1, 0), (1, columns - 1)):
        seen = changed(decoder, rows * columns, encoder.dim, row * columns + column)
        own, around = (
            np.pad(seen, 16)[16 + 8 * row - by : 24 + 8 * row + by, 16 + 8 * column - by : 24 + 8 * column + by]
            for by in (0, 16)
        )
        inside = min(8, height - 8 * row) * min(8, width - 8 * column)
        assert own.sum() > 0.9 * inside and around.sum() == seen.sum() < seen.size  # convolutions see 16 pixels far


@pytest.mark.parametrize(("name", "height", "width"), [("alexnet", 33, 47), ("resnet9", 8, 8)])
def test_one_frame_draws_all_of_a_picture(name, height, width):
    encoder = build_encoder(name, height, width, "none")
    seen = changed(build_decoder(encoder, "transformer", channels=1), 1, encoder.dim, 0)
    assert seen.shape == (height, width) and seen.mean() > 0.9


@pytest.mark.parametrize("width", [64, 62, 9])
def test_a_frame_draws_its_strip_and_no_more(width):
    encoder = build_encoder("least", 16, width, "none")
    frames = encoder.grid[1]
    decoder = build_decoder(encoder, "transformer")
    seen = changed(decoder, frames, encoder.dim, frames - 1)
    assert seen.shape == (16, width)
    np.testing.assert_array_equal(seen.any(0), np.arange(width) >= 4 * (frames - 1))


def test_pixels_have_single_precision_where_the_rest_has_half():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    for name, size in (("least", (16, 64)), ("resnet9", (16, 16))):
        encoder = build_encoder(name, *size, "none")
        decoder = build_decoder(encoder, "transformer")
        drawn = decoder(encoder(rng.integers(0, 256, (1, *size, 3)).astype(np.uint8))[0])
        assert drawn.dtype == "float32" and (tf.cast(tf.cast(drawn, "bfloat16"), "float32") != drawn).numpy().any()
