"""What the tests of losses share: inputs, pieces of NumPy losses, and the check of a loss against one."""

import numpy as np
import pytest
import tensorflow as tf


def rows(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def cross_entropy(logits, target):
    return np.log(np.sum(np.exp(logits))) - logits[target]


def diagonal(logits):
    """The mean cross-entropy of rows against the diagonal."""
    return np.mean([cross_entropy(row, i) for i, row in enumerate(logits)])


def softmax(x):
    return np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)


def gradients(loss, *inputs):
    """The loss and its gradients; zeros where none flows."""
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = loss(*inputs)
    return value, [g.numpy() for g in tape.gradient(value, inputs, unconnected_gradients="zero")]


def check(loss, value, *inputs, stopped=(), gradient=None):
    """Value and gradients of a loss are those of the float64 function `value`.

    stopped: which inputs get no gradient at all. gradient: a function of the same inputs whose gradient the loss has
    where that is not `value`'s, because it holds some of them fixed.
    """
    gradient, exact = gradient or value, [x.astype(np.float64) for x in inputs]
    result, found = gradients(loss, *inputs)
    assert result.dtype == tf.float32 and float(result) == pytest.approx(value(*exact), rel=1e-5, abs=1e-6)
    for which, actual in enumerate(found):
        if which in stopped:
            assert not actual.any()
            continue
        expected = np.zeros_like(exact[which])
        for i in np.ndindex(expected.shape):
            for sign in (1, -1):
                moved = [x.copy() for x in exact]
                moved[which][i] += sign * 1e-5
                expected[i] += sign * gradient(*moved) / 2e-5
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
