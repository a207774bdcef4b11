"""Schedules and optimizers against their formulas."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.engine.optimizers import OPTIMIZERS, WarmupCosine, build_optimizer, learning_rate_at
from seqclr.errors import UserError


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


def test_lars_is_the_official_formula():
    layer, rng = part(), np.random.default_rng(0)
    layer.bias.assign(rng.normal(size=3))
    w, b = layer.kernel.numpy(), layer.bias.numpy()
    optimizer = build_optimizer(config(optimizer="lars", weight_decay=0.1), constant(0.5), {}, {"p": layer.weights})
    momentum_w, momentum_b = np.zeros_like(w), np.zeros_like(b)
    for _ in range(3):
        gw, gb = rng.normal(size=w.shape).astype(np.float32), rng.normal(size=b.shape).astype(np.float32)
        optimizer.apply([tf.constant(gw), tf.constant(gb)], layer.weights)
        update = gw + 0.1 * w
        update *= 1e-3 * np.linalg.norm(w) / np.linalg.norm(update)
        momentum_w = 0.9 * momentum_w - 0.5 * update
        momentum_b = 0.9 * momentum_b - 0.5 * gb
        w, b = w + momentum_w, b + momentum_b
    np.testing.assert_allclose(layer.kernel, w, rtol=1e-5)
    np.testing.assert_allclose(layer.bias, b, rtol=1e-5)


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


def test_factors_scale_the_rate_of_a_part():
    slow, fast = part(), part()
    fast.kernel.assign(slow.kernel)
    parts = {"slow": slow.weights, "fast": fast.weights}
    optimizer = build_optimizer(config(), constant(0.1), {"slow": lambda step: 0.25}, parts)
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
