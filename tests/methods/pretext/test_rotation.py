"""Rotation: all turns of an image, and the one that each is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny

RNG = np.random.default_rng(0)


def made(encoder, **keys):
    method = METHODS["rotation"](**keys)
    method.build(encoder)
    return method


@pytest.fixture(scope="module")
def line():
    keras.utils.set_random_seed(0)
    return build_encoder("least", 16, 64, "none", dropout=0.0)


@pytest.fixture(scope="module")
def square():
    keras.utils.set_random_seed(0)
    return build_encoder("resnet9", 12, 12, "none")


def batch(*size, **rest):
    images = RNG.integers(0, 256, (3, 1, *size, 3)).astype(np.uint8)
    return {"views": tf.constant(images), "index": tf.range(3), **rest}


def test_the_label_undoes_the_turn_of_a_picture(square):
    method, pictures = made(square), batch(12, 12)
    assert method.chance == 0.25
    rotated, labels = method.rotated(pictures)
    assert labels.numpy().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    for row, (image, turns) in enumerate(zip(rotated.numpy(), labels.numpy())):
        np.testing.assert_array_equal(np.rot90(image, -turns), pictures["views"][row % 3, 0])
    shown = method.preview_inputs({name: value.numpy() for name, value in pictures.items()})
    assert [*shown] == [f"rotated by {angle} degrees" for angle in (0, 90, 180, 270)]
    np.testing.assert_array_equal(np.concatenate([*shown.values()]), rotated)


def test_of_a_padded_line_the_content_is_rotated_and_stays_at_the_left(line):
    method, widths = made(line), np.array([64, 40, 1], np.int32)
    lines = batch(16, 64, width=tf.constant(widths))
    rotated, labels = method.rotated(lines)
    assert method.chance == 0.5 and labels.numpy().tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(rotated[:3], lines["views"][:, 0])
    for image, page, width in zip(rotated[3:].numpy(), lines["views"][:, 0].numpy(), widths):
        np.testing.assert_array_equal(np.rot90(image[:, :width], -2), page[:, :width])
        np.testing.assert_array_equal(image[::-1, width:], page[:, width:])


def test_padding_does_not_count(line):
    method, lines = made(line), batch(16, 64, width=tf.constant([64, 40, 8]))
    spoilt = lines["views"].numpy()
    spoilt[1, :, :, 40:], spoilt[2, :, :, 8:] = 0, 255
    loss, again = (method.loss(x, training=False)["loss"] for x in (lines, {**lines, "views": tf.constant(spoilt)}))
    assert float(loss) == pytest.approx(float(again), abs=1e-5)


def test_the_loss_is_the_cross_entropy_over_all_turns(square):
    method, pictures = made(square), batch(12, 12)
    features = [square(np.rot90(pictures["views"][:, 0], k, (1, 2)))[0][:, 0].numpy() for k in range(4)]
    scores = np.concatenate(features) @ method.head.kernel.numpy()
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    labels = np.repeat(np.arange(4), 3)
    found = method.loss(pictures, training=False)
    assert float(found["loss"]) == pytest.approx(-np.log(chances[np.arange(12), labels]).mean(), rel=1e-3)
    assert float(found["accuracy"]) == pytest.approx((chances.argmax(1) == labels).mean())


@pytest.mark.slow
def test_it_learns_which_way_is_up(tmp_path):
    job = tiny.trainer(tmp_path / "run", "rotation", resize="pad", steps=20, learning_rate=3e-3)
    held = {name: tf.constant(value) for name, value in next(job.loader).items()}
    job.fit()
    assert float(job.method.loss(held, training=False)["accuracy"]) > 0.9


def test_quarter_turns_are_of_squares_that_are_no_lines(line, square):
    with pytest.raises(UserError, match="a line that is rotated by 90 degrees is no line: use turns=2"):
        made(line, turns=4)
    oblong = build_encoder("resnet9", 12, 16, "none")
    with pytest.raises(UserError, match="rotation by 90 degrees swaps height and width: use turns=2"):
        made(oblong, turns=4)
    with pytest.raises(UserError, match="turns 3 is not known: 0, 2, 4"):
        METHODS["rotation"](turns=3)
    assert made(oblong).chance == made(square, turns=2).chance == 0.5
    assert made(build_encoder("least", 16, 16, "none")).chance == 0.5
