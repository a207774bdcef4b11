"""Momentum copies follow by the formula, compute in the networks' place, and change nothing else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn.momentum import Momentum
from seqclr.nn.norm import batch_norm

X = np.random.default_rng(0).normal(3, 2, (8, 5)).astype(np.float32)


def network(seed: int) -> keras.Sequential:
    keras.utils.set_random_seed(seed)
    net = keras.Sequential([keras.layers.Dense(4), batch_norm("bn"), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    net.build((None, 5))
    return net


def values(net) -> list[np.ndarray]:
    return [weight.numpy() for weight in net.weights]


def test_the_copy_follows_weights_and_batch_statistics():
    net = network(0)
    momentum = Momentum(net)
    expected, update = values(net), tf.function(momentum.update)
    for decay in (0.9, 0.5, 0.75):
        net(X, training=True)  # moves the statistics
        for variable in net.trainable_variables:
            variable.assign_add(tf.ones_like(variable.value))
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, values(net))]
        update(tf.constant(decay))
    momentum._exchange()
    for found, wanted in zip(values(net), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert momentum.trainable_variables == [] and int(momentum.updates) == 3


def test_the_start_is_forgotten():
    momentum = Momentum(network(0))
    for updates, decay in ((0, 0.1), (8, 0.5), (80, 0.9), (10_000, 0.99)):
        momentum.updates.assign(updates)
        assert float(momentum.ramped(0.99)) == pytest.approx(decay)
    assert float(momentum.ramped(0.0)) == 0.0


@pytest.mark.parametrize("training", [False, True])
def test_in_use_it_computes_as_a_second_network_would(training):
    net, other = network(0), network(1)
    other.layers[2].rate = net.layers[2].rate = 0.0
    own, plain = values(net), net(X).numpy()
    net.set_weights(other.get_weights())
    momentum = Momentum(net)
    net.set_weights(own)
    with tf.GradientTape() as tape, momentum.weights_in_use():
        found = net(X, training=training)
    assert tape.gradient(found, net.trainable_variables) == [None] * 6
    np.testing.assert_allclose(found, other(X, training=training), rtol=1e-5)
    np.testing.assert_array_equal(net(X), plain)  # neither weights nor statistics have moved


def test_exchanged_weights_come_back_to_the_bit():
    net, other = network(0), network(1)
    momentum, before = Momentum(net), values(net)
    net.set_weights(other.get_weights())
    with pytest.raises(KeyError), momentum.exchanged():
        for found, wanted in zip(values(net), before, strict=True):
            np.testing.assert_array_equal(found, wanted)
        raise KeyError
    for found, wanted in zip(values(net), values(other), strict=True):
        np.testing.assert_array_equal(found, wanted)
