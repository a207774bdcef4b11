"""The encoder: sizes, masks, positions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.engine import checkpoints
from seqclr.errors import UserError
from seqclr.nn import colours
from seqclr.nn.encoders import POSITIONS, build_encoder

pytestmark = pytest.mark.usefixtures("least_networks")

rng = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "millions"), [("fast", (0.3, 0.5)), ("tiny", (0.7, 0.9)), ("small", (2.7, 3.5)), ("base", (11, 14))]
)
def test_sizes(name, millions):
    assert millions[0] < build_encoder(name, 32, 128, "none").count_params() / 1e6 < millions[1]


@pytest.mark.parametrize(("height", "width"), [(8, 8), (33, 127), (48, 160)])
def test_any_height_and_width(height, width):
    features, mask = build_encoder("tiny", height, width, "learned")(np.zeros((2, height, width, 3), np.uint8))
    assert features.shape == (2, -(-width // 4), 128) and mask is None


@pytest.mark.parametrize(("name", "positions"), [("fast", "convolutional"), *(("tiny", kind) for kind in POSITIONS)])
@pytest.mark.parametrize("training", [False, True])
def test_padded_equals_unpadded(name, positions, training):
    """In training too: batch norm must not see the padding, nor attention."""
    narrow = build_encoder(name, 32, 64, positions, dropout=0.0)
    wide = build_encoder(name, 32, 128, positions, dropout=0.0)
    for a, b in zip(narrow.weights, wide.weights):
        b.assign(tf.pad(a, [[0, b.shape[0] - a.shape[0]], [0, 0]]) if a.shape != b.shape else a)
    page = rng.integers(0, 256, (3, 32, 64, 3)).astype(np.uint8)
    padded = np.concatenate([page, rng.integers(0, 256, page.shape).astype(np.uint8)], axis=2)
    widths = np.full(3, 64, np.int32)
    short, _ = narrow(page, training=training)
    long, mask = wide(padded, widths, training=training)
    assert mask.numpy().sum(1).tolist() == [16, 16, 16]
    np.testing.assert_allclose(long[:, :16], short, atol=2e-5)
    for a, b in zip(narrow.non_trainable_variables, wide.non_trainable_variables):
        if "moving" in a.path:
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_widths_may_differ_within_a_batch():
    encoder = build_encoder("tiny", 32, 128, "convolutional")
    page = rng.integers(0, 256, (2, 32, 128, 3)).astype(np.uint8)
    spoilt = page.copy()
    spoilt[1, :, 40:] = 255 - spoilt[1, :, 40:]
    widths = np.array([128, 40], np.int32)
    a, mask = encoder(page, widths)
    b, _ = encoder(spoilt, widths)
    assert mask.numpy().sum(1).tolist() == [32, 10]
    np.testing.assert_allclose(a[0], b[0], atol=1e-6)
    np.testing.assert_allclose(a[1, :10], b[1, :10], atol=1e-6)


def test_without_positions_the_transformer_sees_a_set():
    """Rolling the frames rolls the features; each of the other kinds tells the places apart."""
    for positions in POSITIONS:
        encoder = build_encoder("tiny", 16, 64, positions)
        if positions == "convolutional":
            encoder.positions.conv.kernel.assign(rng.normal(size=encoder.positions.conv.kernel.shape))
        x = tf.constant(rng.normal(size=(1, 16, 128)).astype(np.float32))

        def after(x, encoder=encoder):
            x = encoder.positions(x)
            for block in encoder.transformer:
                x = block(x)
            return x

        same = np.allclose(tf.roll(after(x), 3, 1), after(tf.roll(x, 3, 1)), atol=1e-4)
        assert same == (positions == "none"), positions


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("huge", 32, 128, "none"), "huge"), (("tiny", 32, 128, "far"), "far"), (("tiny", 4, 128, "none"), "height 4")],
)
def test_what_cannot_be_built_is_refused(arguments, word):
    with pytest.raises(UserError, match=word):
        build_encoder(*arguments)


def test_weights_fit_whatever_the_dropout(tmp_path):
    """A run without dropout can be fine-tuned with it, and the other way round."""
    dry, wet = (build_encoder("tiny", 16, 64, "none", dropout=rate) for rate in (0.0, 0.1))
    for one, other in ((dry, wet), (wet, dry)):
        checkpoints.restore({"encoder": other}, checkpoints.snapshot({"encoder": one}), tmp_path)
        np.testing.assert_array_equal(one.columns.kernel, other.columns.kernel)


def neighbours():
    """Two pages of noise of the same lightness, pixel by pixel, and of other colours."""
    drawn = rng.integers(0, 256, (2**16, 3)).astype(np.uint8)
    order = np.argsort(colours.lab(drawn)[:, 0])
    pairs = drawn[order].reshape(-1, 2, 3)
    pages = pairs[rng.choice(len(pairs), (1, 16 * 64), replace=False)].reshape(1, 16, 64, 2, 3)
    return pages[..., 0, :], pages[..., 1, :]


@pytest.mark.parametrize("name", ["least_lab", "least_picture_lab"])
def test_a_half_sees_its_own_channels_alone(name):
    encoder = build_encoder(name, 16, 64, "none")
    light, colour = encoder.halves

    def change(half, a, b):
        return np.abs(half(a, layer="cnn")[0] - half(b, layer="cnn")[0]).max()

    one, other = neighbours()
    same, differ = (change(half, one, other) for half in (light, colour))
    assert same < 0.02 < 0.2 < differ
    grays = np.arange(1024, dtype=np.uint8).reshape(1, 16, 64, 1).repeat(3, 3)
    differ, same = (change(half, grays, 255 - grays) for half in (light, colour))
    assert same < 1e-4 < 0.2 < differ


@pytest.mark.parametrize("name", ["least", "least_picture"])
def test_two_halves_have_the_interface_and_the_width_of_the_whole(name):
    encoder, whole = build_encoder(f"{name}_lab", 16, 64, "none"), build_encoder(name, 16, 64, "none")
    page = rng.integers(0, 256, (2, 16, 64, 3)).astype(np.uint8)
    assert (encoder.dim, encoder.grid) == (whole.dim, whole.grid)
    assert 0.4 < encoder.count_params() / whole.count_params() < 0.6
    frames, mask = encoder(page, layer="cnn")
    assert mask is None and frames.shape == whole(page, layer="cnn")[0].shape
    features = encoder(page)[0]
    np.testing.assert_array_equal(features, np.concatenate([half(page)[0] for half in encoder.halves], -1))
    for found, expected in zip(encoder(page, layer="pair")[0], (frames, features)):
        np.testing.assert_array_equal(found, expected)
    assert all(half.dim == whole.dim // 2 for half in encoder.halves)


def test_each_half_leaves_padding_out():
    encoder = build_encoder("least_lab", 16, 64, "convolutional")
    page = rng.integers(0, 256, (2, 16, 64, 3)).astype(np.uint8)
    spoilt = page.copy()
    spoilt[:, :, 40:] = 255 - spoilt[:, :, 40:]
    (a, mask), (b, _) = (encoder(x, np.array([40, 40], np.int32)) for x in (page, spoilt))
    assert mask.numpy().sum(1).tolist() == [10, 10]
    np.testing.assert_allclose(a[:, :10], b[:, :10], atol=1e-5)


@pytest.mark.parametrize("name", ["least", "least_picture"])
def test_channels_of_the_input(name):
    """An encoder of gray sees the luminance of images; one of a stack repeats images, and is that of RGB for one."""
    images = rng.integers(0, 256, (2, 16, 64, 3)).astype(np.uint8)
    plain, gray, stack = (build_encoder(name, 16, 64, "none", 0.0, channels) for channels in (3, 1, 9))
    weights = gray.count_params(), plain.count_params(), stack.count_params()
    assert weights[0] < weights[1] < weights[2]
    luminance = np.rint(images @ [0.299, 0.587, 0.114])[..., None].repeat(3, -1).astype(np.uint8)
    np.testing.assert_allclose(gray(images)[0], gray(luminance)[0], atol=0.05)
    kernels = [encoder.weights[0] for encoder in (plain, gray, stack)]
    assert [kernel.shape[2] for kernel in kernels] == [3, 1, 9]
    for other, weight in zip(stack.weights, plain.weights):
        other.assign(weight if other.shape == weight.shape else tf.tile(weight, (1, 1, 3, 1)) / 3)
    np.testing.assert_allclose(stack(images)[0], plain(images)[0], atol=1e-4)
    np.testing.assert_allclose(stack(np.tile(images, 3))[0], plain(images)[0], atol=1e-4)


def test_an_encoder_of_rgb_sees_the_scaled_image():
    images = rng.integers(0, 256, (2, 16, 64, 3)).astype(np.uint8)
    encoder = build_encoder("least_picture", 16, 64, "none")
    features = images.astype(np.float32) / 127.5 - 1
    for part in encoder.parts:
        features = part(features)
    np.testing.assert_allclose(encoder.map(images), features, atol=1e-6)


def test_a_saved_encoder_keeps_its_channels(tmp_path):
    images = rng.integers(0, 256, (2, 16, 64, 3)).astype(np.uint8)
    encoder = build_encoder("least", 16, 64, "none", channels=1)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(loaded(images)[0], encoder(images)[0])


@pytest.mark.parametrize(("name", "channels"), [("tiny", 2), ("tiny", 4), ("tiny_lab", 1), ("tiny_lab", 6)])
def test_channels_that_do_not_suit_the_encoder_are_refused(name, channels):
    with pytest.raises(UserError, match=f"channels {channels}"):
        build_encoder(name, 16, 64, "none", channels=channels)
