"""Functions that several losses share."""

from __future__ import annotations

import tensorflow as tf


def normalize(x) -> tf.Tensor:
    """Rows of unit length, in float32."""
    return tf.math.l2_normalize(tf.cast(x, tf.float32), axis=-1)


def products(a, b) -> tf.Tensor:
    """Dot products of all rows, in float32; `[..., N, D]` and `[..., M, D]` give `[..., N, M]`."""
    return tf.matmul(tf.cast(a, tf.float32), tf.cast(b, tf.float32), transpose_b=True)


def diagonal_cross_entropy(logits) -> tf.Tensor:
    """Mean cross-entropy of the softmax of the rows of `[..., N, N]`, whose targets are on the diagonal."""
    diagonal = tf.broadcast_to(tf.range(tf.shape(logits)[-1]), tf.shape(logits)[:-1])
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=diagonal, logits=logits))


def soft_cross_entropy(targets, logits, valid=None) -> tf.Tensor:
    """Mean cross-entropy of the softmax of rows with soft targets, which get no gradient; `[N, K]` each.

    valid: `bool [N]`, the rows in the mean; None: all.
    """
    errors = tf.nn.softmax_cross_entropy_with_logits(labels=tf.stop_gradient(targets), logits=logits)
    return tf.reduce_mean(errors) if valid is None else masked_mean(errors, valid)


def masked_mean(x, mask, axis=None) -> tf.Tensor:
    """The mean of x where the mask is true; 0 where it is nowhere."""
    count = tf.reduce_sum(tf.cast(mask, tf.float32), axis=axis)
    return tf.reduce_sum(tf.where(tf.cast(mask, tf.bool), x, 0.0), axis=axis) / tf.maximum(count, 1.0)


def classification(logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
    """The mean cross-entropy, `loss`, of logits `[N, K]` with classes `int32 [N]`, and the `accuracy`."""
    logits = tf.cast(logits, tf.float32)
    errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    right = tf.argmax(logits, axis=1, output_type=tf.int32) == labels
    return {"loss": tf.reduce_mean(errors), "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}
