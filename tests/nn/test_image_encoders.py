"""Encoders of natural images: shapes, positions, and what they refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.engine import setup
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.text.ctc import CTC
from seqclr.nn.encoders import SIZES, build_encoder
from seqclr.nn.image_encoders import IMAGE_ENCODERS, SMALL
from seqclr.transforms.corrupted import patch_side
from tests.engine import tiny

rng = np.random.default_rng(0)


def noise(count, height, width):
    return rng.integers(0, 256, (count, height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "dim", "millions"),
    [
        ("resnet9", 256, 1.23),
        ("alexnet", 256, 3.72),
        pytest.param("resnet18", 512, 11.18, marks=pytest.mark.slow),
        pytest.param("resnet50", 2048, 23.55, marks=pytest.mark.slow),
        pytest.param("vit_tiny", 192, 5.36, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(("height", "width"), [(28, 28), (32, 32), (96, 80)])
def test_a_picture_is_one_frame_and_a_map_of_positions(name, dim, millions, height, width):
    encoder = build_encoder(name, height, width, "none")
    patches = name == "vit_tiny"
    stride = (4 if max(height, width) <= 64 else 16) if patches else (8 if height <= 64 else 32)
    assert encoder.grid == (-(-height // stride), -(-width // stride)) and encoder.dim == dim
    (positions, image), mask = encoder(noise(2, height, width), layer="pair")
    assert mask is None and positions.shape == (2, np.prod(encoder.grid), dim)
    np.testing.assert_allclose(image[:, 0], np.mean(positions, axis=1), atol=1e-4)
    assert encoder.count_params() / 1e6 == pytest.approx(millions, rel=0.03)


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return build_encoder("resnet9", 32, 48, "none")


def test_layers_are_those_of_the_pair(encoder):
    images = noise(2, 32, 48)
    cnn, image = (encoder(images, layer=layer)[0] for layer in ("cnn", "transformer"))
    for a, b in zip((cnn, image), encoder(images, layer="pair")[0]):
        np.testing.assert_array_equal(a, b)


def test_positions_go_row_by_row_and_move_with_the_image(encoder):
    """A spot at the top right changes the positions there most; moved by the stride, it changes those beside alike."""
    assert encoder.grid == (4, 6)

    def change(row, column):
        image = np.full((1, 32, 48, 3), 128, np.uint8)
        plain, _ = encoder(image, layer="cnn")
        image[0, 8 * row + 2 : 8 * row + 6, 8 * column + 2 : 8 * column + 6] = (255, 0, 90)
        return np.abs(encoder(image, layer="cnn")[0] - plain)[0].sum(-1).reshape(encoder.grid)

    for place in ((0, 4), (2, 1), (3, 3)):
        assert np.unravel_index(change(*place).argmax(), encoder.grid) == place
    image = noise(1, 32, 48)
    rolled = np.roll(image, 8, axis=2)  # the middle sees no edge of the image but by its corners
    a, b = (np.reshape(encoder(x, layer="cnn")[0], (4, 6, -1)) for x in (image, rolled))
    beside, same = np.abs(a[:, 2:4] - b[:, 3:5]).mean(), np.abs(a[:, 2:4] - b[:, 2:4]).mean()
    assert beside < 0.7 * same


def test_batch_statistics_are_used_and_kept_in_training_alone(encoder):
    images = noise(8, 32, 48)
    moving = [v for v in encoder.non_trainable_variables if "moving" in v.path]
    before = [v.numpy() for v in moving]
    alone = encoder(images[:1])[0]
    np.testing.assert_allclose(alone, encoder(images)[0][:1], atol=1e-5)
    assert all((a == v.numpy()).all() for a, v in zip(before, moving))
    together = encoder(images, training=True)[0]
    assert np.abs(together[:1] - encoder(images[:1], training=True)[0]).max() > 1e-3
    assert len(moving) == 24 and all((a != v.numpy()).any() for a, v in zip(before, moving))


def test_half_precision_gives_nearly_the_same(encoder):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    half = build_encoder("resnet9", 32, 48, "none")
    half.set_weights(encoder.get_weights())
    images = noise(4, 32, 48)
    a, b = encoder(images)[0], half(images)[0]
    assert b.dtype == tf.bfloat16 and half.weights[0].dtype == "float32"
    np.testing.assert_allclose(a, tf.cast(b, tf.float32), atol=0.1 * np.abs(a).max())


@pytest.mark.slow
def test_a_transformer_tells_positions_apart_by_its_table():
    encoder = build_encoder("vit_tiny", 8, 16, "none", dropout=0.0)
    image = np.full((1, 8, 16, 3), 90, np.uint8)
    positions = encoder(image, layer="cnn")[0]
    assert encoder.grid == (2, 4) and np.ptp(positions, axis=1).max() > 1e-3
    (table,) = (v for v in encoder.variables if v.path.endswith("table"))
    table.assign(tf.zeros_like(table))
    assert np.ptp(encoder(image, layer="cnn")[0], axis=1).max() < 1e-5


def test_the_host_knows_the_patches_of_a_transformer():
    for size in ((16, 64), (28, 24), (80, 64)):
        patches = IMAGE_ENCODERS["vit_tiny"](max(size) <= SMALL, 0.0)[0][0]
        assert patches.strides == (patch_side(*size),) * 2


def test_a_line_is_a_row_of_frames():
    assert build_encoder("tiny", 16, 62, "none").grid == (1, 16)


def test_an_unknown_name_lists_all():
    with pytest.raises(UserError, match=f"encoder 'vgg' is not known: .*{', '.join(IMAGE_ENCODERS)}"):
        build_encoder("vgg", 32, 32, "none")


def test_padding_and_what_needs_lines_are_refused(encoder):
    with pytest.raises(UserError, match="resize=stretch"):
        encoder(noise(1, 32, 48), np.array([20], np.int32))
    with pytest.raises(UserError, match="resize=stretch"):
        setup.check(tiny.config("simclr", encoder="resnet9", resize="pad"), METHODS["simclr"])
    for name in ("generated", "masked_simclr", "ccd", "rclstr", "ssm", "ctc"):
        cls = METHODS.get(name, CTC)
        with pytest.raises(UserError, match=f"encoder 'resnet9' is of images: {cls.__name__} takes tiny, small"):
            setup.check(tiny.config(name, encoder="resnet9"), cls)
    setup.check(tiny.config("simclr", encoder="resnet9"), METHODS["simclr"])
    for name, encoder, takes in (
        ("cmc", "tiny", "'tiny' is without halves: CMC takes tiny_lab, small_lab"),
        ("cmc", "resnet9", "'resnet9' is without halves: CMC takes tiny_lab, small_lab"),
        ("split_brain", "resnet9", "'resnet9' is without halves: SplitBrain takes resnet9_lab, resnet18_lab"),
        ("split_brain", "tiny_lab", "'tiny_lab' is of text lines: SplitBrain takes resnet9_lab, resnet18_lab"),
        ("colorization", "tiny", "'tiny' is of text lines: Colorization takes resnet9, resnet18"),
    ):
        with pytest.raises(UserError, match=takes):
            setup.check(tiny.config(name, encoder=encoder), METHODS[name])
    setup.check(tiny.config("cmc", encoder="tiny_lab"), METHODS["cmc"])
    assert set(SIZES).isdisjoint(IMAGE_ENCODERS)
