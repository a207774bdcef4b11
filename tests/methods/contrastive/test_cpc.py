"""CPC: what is predicted from what, and that nothing of it has been seen."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.contrastive.cpc import sequences
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny
from tests.losses.reference import diagonal


def made(grid=None, **keys):
    keras.utils.set_random_seed(0)
    encoder = build_encoder("least", 16, 64, "none", dropout=0.0)
    if grid:
        encoder.grid = grid
    method = METHODS["cpc"](**keys)
    method.build(encoder)
    return method


def batch(**more):
    return {name: tf.constant(value) for name, value in {**tiny.seeded(4), **more}.items()}


@pytest.mark.parametrize("widths", [None, [64, 40, 22, 64]])
@pytest.mark.parametrize("directions", [1, 2])
def test_the_next_frames_are_told_from_all_others(directions, widths):
    method = made(directions=directions, steps_ahead=3)
    data = batch(**({"width": np.int32(widths)} if widths else {}))
    features = method.encoder(data["views"][:, 0], data.get("width"), training=True, layer="cnn")[0].numpy()
    lengths = [-(-width // 4) for width in widths or [64] * 4]
    losses = []
    for predictor, back in ((method.predictor0, False), (getattr(method, "predictor1", None), True))[:directions]:
        said, seen = [[], [], []], [[], [], []]
        for frames, length in zip(features, lengths):
            line = frames[:length][::-1] if back else frames[:length]
            predicted = predictor(line[None]).numpy().reshape(length, 3, 64)
            for step in (1, 2, 3):
                said[step - 1] += list(predicted[: length - step, step - 1])
                seen[step - 1] += list(line[step:])
        losses += [diagonal(np.array(a) @ np.array(b).T) for a, b in zip(said, seen)]
    assert float(method.loss(data, training=True)["loss"]) == pytest.approx(np.mean(losses), rel=1e-3)


def test_a_prediction_has_not_seen_what_it_predicts():
    method, frames = made(), np.random.default_rng(0).normal(size=(2, 16, 64)).astype(np.float32)
    later = frames.copy()
    later[:, 9:] += 1
    first, second = method.predictor0(frames).numpy(), method.predictor0(later).numpy()
    np.testing.assert_allclose(first[:, :9], second[:, :9], atol=1e-6)
    assert np.abs(first[:, 9:] - second[:, 9:]).max() > 0.01


def test_lines_that_are_too_short_to_predict_count_nothing():
    method = made(steps_ahead=4)
    data = batch(width=np.int32([8, 12, 8, 12]))  # two or three frames
    with tf.GradientTape() as tape:
        loss = method.loss(data, training=True)["loss"]
    gradients = tape.gradient(loss, method.predictor0.trainable_variables)
    assert float(loss) > 0 and all(np.isfinite(gradient).all() for gradient in gradients)


def test_images_are_read_in_four_directions():
    grid = np.arange(2 * 3 * 4).reshape(2, 3, 4, 1).astype(np.float32)
    expected = {
        (True, False): grid[0, :, 1],
        (True, True): grid[0, ::-1, 1],
        (False, False): grid[0, 1],
        (False, True): grid[0, 1, ::-1],
    }
    for way, line in expected.items():
        found, lengths = sequences(tf.constant(grid), None, *way)
        assert found.shape[:2] == ((8, 3) if way[0] else (6, 4)) and set(lengths.numpy()) == {found.shape[1]}
        np.testing.assert_array_equal(found[1], line)
    method = made(grid=(4, 4), directions=4)
    assert [method.ways[i] for i in range(4)] == list(expected)
    assert np.isfinite(float(method.loss(batch(), training=True)["loss"]))
    assert method.predictor0.output_shape[-1] == 3 * 64  # of four rows, three can be predicted


def test_padding_stays_at_the_end():
    frames = tf.reshape(tf.range(10.0), [2, 1, 5, 1])
    mask = tf.constant([[True] * 3 + [False] * 2, [True] * 5])
    found, lengths = sequences(frames, mask, down=False, back=True)
    assert found[..., 0].numpy().tolist() == [[2, 1, 0, 3, 4], [9, 8, 7, 6, 5]] and lengths.numpy().tolist() == [3, 5]


def test_directions_that_cannot_be_are_refused():
    with pytest.raises(UserError, match="directions 3 is not known: 1, 2, 4"):
        METHODS["cpc"](directions=3)
    with pytest.raises(UserError, match="directions 4: a line of text has 2"):
        made(directions=4)
    with pytest.raises(UserError, match="1x1 frames leave none to predict"):
        made(grid=(1, 1))


@pytest.mark.slow
def test_prediction_gets_better_than_chance(tmp_path):
    job = tiny.trainer(tmp_path / "run", "cpc", steps=40, learning_rate=3e-3, directions=2)
    first = job.method.loss({k: tf.constant(v) for k, v in next(job.loader).items()}, training=True)["loss"]
    job.fit()
    last = job.method.loss({k: tf.constant(v) for k, v in next(job.loader).items()}, training=True)["loss"]
    assert float(first) > np.log(8 * 12) and float(last) < np.log(8 * 12) - 0.5
