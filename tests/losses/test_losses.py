"""Losses against NumPy, and where their gradients may flow."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses


def rows(count=6, dim=5, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def cross_entropy(logits, target):
    return np.log(np.sum(np.exp(logits))) - logits[target]


def nt_xent(z1, z2, temperature):
    z = unit(np.concatenate([z1, z2])).astype(np.float64)
    count = len(z1)
    total = 0.0
    for i in range(2 * count):
        others = [k for k in range(2 * count) if k != i]
        total += cross_entropy(z[others] @ z[i] / temperature, others.index((i + count) % (2 * count)))
    return total / (2 * count)


def info_nce(z1, z2, temperature):
    logits = (unit(z1) @ unit(z2).T / temperature).astype(np.float64)
    both = [cross_entropy(logits[i], i) + cross_entropy(logits[:, i], i) for i in range(len(z1))]
    return np.mean(both) / 2


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("name", ["nt_xent", "info_nce"])
def test_value(name, temperature):
    z1, z2 = rows(seed=1), rows(seed=2)
    expected = {"nt_xent": nt_xent, "info_nce": info_nce}[name](z1, z2, temperature)
    assert float(getattr(losses, name)(z1, z2, temperature)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["nt_xent", "info_nce"])
def test_only_the_allowed_negatives_count(name):
    """Rows of two groups that may not stand against each other give the mean of the groups' losses."""
    z1, z2, group = rows(seed=1), rows(seed=2), np.array([0, 1, 0, 1, 1, 0])
    loss = getattr(losses, name)
    apart = [float(loss(z1[group == g], z2[group == g])) for g in (0, 1)]
    allowed = tf.constant((group[:, None] == group) & ~np.eye(6, dtype=bool))
    assert float(loss(z1, z2, negatives=allowed)) == pytest.approx(np.mean(apart), rel=1e-5)


def test_the_losses_differ_in_their_negatives():
    """A row of one's own view that equals the anchor is a negative of nt_xent and none of info_nce."""
    z1 = np.repeat(rows(1, 8), 2, axis=0)
    z2 = unit(rows(2, 8, seed=3))
    moved = z1.copy()
    moved[1] = rows(1, 8, seed=4)
    one_anchor = lambda z: float(losses.info_nce(z[:1], z2[:1]))  # noqa: E731
    assert one_anchor(z1) == one_anchor(moved) == 0
    assert float(losses.nt_xent(z1, z2)) > float(losses.info_nce(z1, z2))


@pytest.mark.parametrize("name", ["nt_xent", "info_nce"])
def test_orthonormal_pairs_have_the_known_limit(name):
    z, temperature = np.eye(4, 8, dtype=np.float32), 0.1
    negatives = {"nt_xent": 6, "info_nce": 3}[name]
    expected = np.log(1 + negatives * np.exp(-1 / temperature))
    assert float(getattr(losses, name)(z, z, temperature)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["nt_xent", "info_nce"])
def test_gradient_is_that_of_the_numpy_loss(name):
    z1, z2 = rows(4, 3, seed=5), rows(4, 3, seed=6)
    reference = {"nt_xent": nt_xent, "info_nce": info_nce}[name]
    with tf.GradientTape() as tape:
        a, b = tf.constant(z1), tf.constant(z2)
        tape.watch([a, b])
        loss = getattr(losses, name)(a, b, 0.5)
    for tensor, which in zip(tape.gradient(loss, [a, b]), (0, 1)):
        for i in np.ndindex(z1.shape):
            pair = [z1.astype(np.float64), z2.astype(np.float64)]
            pair[which][i] += 1e-4
            up = reference(*pair, 0.5)
            pair[which][i] -= 2e-4
            assert float(tensor[i]) == pytest.approx((up - reference(*pair, 0.5)) / 2e-4, abs=2e-3)


def test_negative_cosine_and_its_stop_gradient():
    p, z = rows(seed=7), rows(seed=8)
    expected = -np.mean(np.sum(unit(p) * unit(z), axis=1))
    with tf.GradientTape() as tape:
        a, b = tf.constant(p), tf.constant(z)
        tape.watch([a, b])
        loss = losses.negative_cosine(a, b)
    gradient_p, gradient_z = tape.gradient(loss, [a, b])
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert gradient_z is None and np.abs(gradient_p).max() > 1e-3


@pytest.mark.parametrize("name", losses.__all__)
def test_half_precision_is_computed_in_float32(name):
    z1, z2 = tf.cast(rows(64, 32, seed=9), tf.bfloat16), tf.cast(rows(64, 32, seed=10), tf.bfloat16)
    loss = getattr(losses, name)
    assert loss(z1, z2).dtype == tf.float32
    assert float(loss(z1, z2)) == pytest.approx(float(loss(tf.cast(z1, tf.float32), tf.cast(z2, tf.float32))), rel=1e-6)
