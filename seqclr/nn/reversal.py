"""Domain-adversarial training by gradient reversal: Ganin et al. 2016, arXiv:1505.07818."""

from __future__ import annotations

import tensorflow as tf


@tf.custom_gradient
def reverse(x: tf.Tensor, strength: tf.Tensor):
    """The identity, whose gradient is multiplied by `-strength`."""
    return tf.identity(x), lambda gradient: (-tf.cast(strength, gradient.dtype) * gradient, None)


def ramp(done: tf.Tensor) -> tf.Tensor:
    """The strength after a fraction of the run: from 0 at its start towards 1."""
    return 2.0 / (1.0 + tf.exp(-10.0 * done)) - 1.0


def domain_loss(first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross-entropy and accuracy of logits `[N]` and `[M]` of two domains; logits of the first should be positive.

    Both domains have equal weight, so that chance accuracy is 0.5.
    """
    loss = tf.reduce_mean(tf.nn.softplus(-first)) + tf.reduce_mean(tf.nn.softplus(second))
    right = (tf.reduce_mean(tf.cast(side > 0, tf.float32)) for side in (first, -second))
    return loss / 2, tf.add_n(list(right)) / 2
