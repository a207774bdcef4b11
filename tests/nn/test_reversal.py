"""The reversed gradient, its ramp, and the loss of two domains."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn.reversal import domain_loss, ramp, reverse


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_the_gradient_comes_back_with_the_other_sign_and_scaled(strength):
    x, weights = tf.Variable([1.0, -2.0, 3.0]), tf.constant([0.5, 4.0, -1.0])

    @tf.function
    def both():
        with tf.GradientTape() as tape:
            y = reverse(x, tf.constant(strength))
            loss = tf.reduce_sum(y * weights)
        return y, tape.gradient(loss, x)

    y, gradient = both()
    np.testing.assert_array_equal(y, x)
    np.testing.assert_allclose(gradient, -strength * weights.numpy())


def test_the_ramp_goes_from_nothing_to_one():
    done = np.float32([0, 0.1, 0.5, 1])
    np.testing.assert_allclose(ramp(tf.constant(done)), np.tanh(5 * done), rtol=1e-5)  # the same curve


def test_two_domains_count_the_same():
    first, second = np.float32([2.0]), np.float32([-1.0, 0.5, -3.0])
    loss, accuracy = domain_loss(tf.constant(first), tf.constant(second))
    errors = np.log1p(np.exp(-first)).mean(), np.log1p(np.exp(second)).mean()
    assert float(loss) == pytest.approx(sum(errors) / 2, rel=1e-5)
    assert float(accuracy) == pytest.approx((1 + 2 / 3) / 2)
