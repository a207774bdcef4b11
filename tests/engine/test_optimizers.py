"""Schedules and optimizers against their formulas."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.engine import optimizers
from seqclr.engine.optimizers import OPTIMIZERS, WarmupCosine, build_optimizer, excluded, learning_rate_at
from seqclr.errors import UserError
from seqclr.nn.blocks import Positions, TransformerBlock
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny


def config(**keys):
    return SimpleNamespace(**{"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.0, "clip": 0.0, **keys})


def constant(rate):
    return WarmupCosine(rate, 0, 10**9)


def part():
    layer = keras.layers.Dense(3, name="dense")
    layer.build((None, 4))
    return layer


def test_schedule():
    schedule = WarmupCosine(2.0, 10, 110)
    assert learning_rate_at(schedule, 0) == pytest.approx(0.2)
    assert learning_rate_at(schedule, 9) == learning_rate_at(schedule, 10) == pytest.approx(2.0)
    assert learning_rate_at(schedule, 60) == pytest.approx(1.0)
    assert learning_rate_at(schedule, 110) == pytest.approx(0.0, abs=1e-6)
    late, constant = WarmupCosine(2.0, 10, 110, start=4), WarmupCosine(2.0, 10, 110, falls=False)
    assert [learning_rate_at(late, step) for step in (3, 4, 12, 60)] == pytest.approx(
        [0.0, 0.2, 1.8 * 0.9990133642, 1.0]
    )
    assert [learning_rate_at(constant, step) for step in (4, 60, 109)] == pytest.approx([1.0, 2.0, 2.0])


def stepped(name, w, gradients, rates, decay, kernel):
    """A weight after some steps, in NumPy, as the papers have it; kernel: whether it has decay and a trust ratio."""
    decay, buffer, square = decay if kernel else 0.0, np.zeros_like(w), np.zeros_like(w)
    for t, (g, rate) in enumerate(zip(gradients, rates), 1):
        if name in ("adamw", "lamb"):
            buffer, square = 0.9 * buffer + 0.1 * g, 0.999 * square + 0.001 * g**2
            epsilon = {"adamw": 1e-7, "lamb": 1e-6}[name]
            update = buffer / (1 - 0.9**t) / (np.sqrt(square / (1 - 0.999**t)) + epsilon) + decay * w
            if name == "lamb" and kernel:
                update *= np.linalg.norm(w) / np.linalg.norm(update)
            w = w - rate * update
        else:
            g = g + decay * w
            if name == "lars" and kernel:
                g *= 1e-3 * np.linalg.norm(w) / np.linalg.norm(g)
            buffer = 0.9 * buffer + rate * g
            w = w - buffer
    return w


@pytest.mark.parametrize("name", ["sgd", "adamw", "lamb", "lars"])
def test_every_optimizer_is_that_of_its_paper(name):
    """On kernels, biases for every head, norms and a table of positions, in a part of a lower rate too."""
    parts = {}
    for part in ("encoder", "head"):
        block, positions = TransformerBlock(2, 0.0), Positions("learned")
        block.build((None, 3, 4))
        positions.build((None, 3, 4))
        parts[part] = [*block.trainable_variables, *positions.trainable_variables]
    schedules, rng = {"encoder": WarmupCosine(0.03, 2, 10), "head": WarmupCosine(0.1, 2, 10)}, np.random.default_rng(0)
    optimizer = build_optimizer(
        config(optimizer=name, weight_decay=0.2), schedules["head"], {"encoder": schedules["encoder"]}, parts
    )
    variables = [v for part in parts.values() for v in part]
    for variable in variables:
        variable.assign(rng.normal(size=variable.shape))
    starts, gradients = [v.numpy() for v in variables], [rng.normal(size=(5, *v.shape)) for v in variables]
    for step in range(5):
        optimizer.apply([tf.constant(g[step], tf.float32) for g in gradients], variables)
    paths = [(part, v) for part, of in parts.items() for v in of]
    for (part, variable), start, steps in zip(paths, starts, gradients):
        rates = [learning_rate_at(schedules[part], step) for step in range(5)]
        expected = stepped(name, start, steps, rates, 0.2, variable.name == "kernel")
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-4, err_msg=f"{part}/{variable.path}")


def test_kernels_are_named_by_their_part_in_the_network():
    names = {True: set(), False: set()}
    for positions in ("convolutional", "learned"):
        for variable in build_encoder("tiny", 32, 64, positions, 0.0).trainable_variables:
            names[excluded(variable)].add(variable.name)
    assert names == {True: {"bias", "gamma", "beta", "table"}, False: {"kernel"}}


@pytest.mark.parametrize("name", ["sgd", "adamw", "lamb", "lars"])
def test_a_part_at_no_rate_stays(name):
    layer = part()
    before = [v.numpy() for v in layer.weights]
    parts = {"p": layer.weights}
    optimizer = build_optimizer(config(optimizer=name, weight_decay=0.5), constant(0.1), {"p": constant(0.0)}, parts)
    optimizer.apply([tf.ones((4, 3)), tf.ones(3)], layer.weights)
    for variable, value in zip(layer.weights, before):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize("name", ["sgd", "adamw", "lamb", "lars"])
def test_decay_spares_biases_and_every_optimizer_descends(name):
    layer = part()
    layer.bias.assign(np.ones(3))
    kernel = layer.kernel.numpy().copy()
    optimizer = build_optimizer(config(optimizer=name, weight_decay=0.5), constant(0.1), {}, {"p": layer.weights})
    optimizer.apply([tf.zeros((4, 3)), tf.zeros(3)], layer.weights)
    assert np.linalg.norm(layer.kernel) < np.linalg.norm(kernel)
    np.testing.assert_array_equal(layer.bias, np.ones(3))
    optimizer.apply([tf.ones((4, 3)), tf.ones(3)], layer.weights)
    assert (layer.bias.numpy() < 1).all()


def test_a_part_has_a_rate_of_its_own():
    slow, fast = part(), part()
    fast.kernel.assign(slow.kernel)
    parts = {"slow": slow.weights, "fast": fast.weights}
    optimizer = build_optimizer(config(), constant(0.1), {"slow": constant(0.025)}, parts)
    before = slow.kernel.numpy().copy()
    optimizer.apply([tf.ones((4, 3)), tf.ones(3)] * 2, [*slow.weights, *fast.weights])
    np.testing.assert_allclose(before - slow.kernel, 0.025, rtol=1e-4)
    np.testing.assert_allclose(before - fast.kernel, 0.1, rtol=1e-4)


def test_clipping_is_of_the_whole_gradient():
    layer = part()
    before = layer.kernel.numpy().copy(), layer.bias.numpy().copy()
    optimizer = build_optimizer(config(clip=1.0), constant(1.0), {}, {"p": layer.weights})
    optimizer.apply([tf.fill((4, 3), 10.0), tf.fill((3,), 10.0)], layer.weights)
    moved = [np.square(a - b).sum() for a, b in zip(before, (layer.kernel.numpy(), layer.bias.numpy()))]
    assert sum(moved) == pytest.approx(1.0, rel=1e-4)


def test_an_unknown_name_lists_the_known():
    with pytest.raises(UserError, match=", ".join(OPTIMIZERS)):
        build_optimizer(config(optimizer="adam"), constant(0.1), {}, {"p": part().weights})


@pytest.mark.parametrize("thaw", [0, 2])
def test_a_part_warms_up_once(tmp_path, monkeypatch, thaw):
    """From when it thaws, and from then on learns at its part of the rate."""
    made, build = [], optimizers.build_optimizer
    monkeypatch.setattr(
        optimizers, "build_optimizer", lambda settings, *rest: made.append(rest) or build(settings, *rest)
    )
    keys = {"steps": 12, "warmup": 0.5, "pretrained": "x", "head_steps": thaw, "encoder_rate": 0.3}
    tiny.trainer(tmp_path / "run", "ctc", **keys)
    ((schedule, schedules, _),) = made
    for step in range(thaw, 12):
        warm, fall = min(1, (step - thaw + 1) / 6), (1 + np.cos(np.pi * max(0, step - 6) / 6)) / 2
        assert float(schedules["encoder"](step)) == pytest.approx(2e-3 * 0.3 * warm * fall, rel=1e-5)
        assert thaw or float(schedules["encoder"](step)) == pytest.approx(0.3 * float(schedule(step)), rel=1e-5)


@pytest.mark.parametrize("fixed", [True, False])
def test_the_predictor_of_simsiam_keeps_its_rate(tmp_path, monkeypatch, fixed):
    made, build = [], optimizers.build_optimizer
    monkeypatch.setattr(
        optimizers, "build_optimizer", lambda settings, *rest: made.append(rest) or build(settings, *rest)
    )
    tiny.trainer(tmp_path / "run", "simsiam", steps=12, warmup=0.5, **({} if fixed else {"fix_predictor_rate": False}))
    ((schedule, schedules, _),) = made
    assert schedules.keys() == ({"predictor"} if fixed else set())
    if fixed:
        rates = [float(schedules["predictor"](step)) for step in (0, 5, 11)]
        assert rates == pytest.approx([1e-3 / 6, 1e-3, 1e-3]) and float(schedule(11)) < 2e-4
