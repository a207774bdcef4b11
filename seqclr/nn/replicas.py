"""Communication between replicas in a step."""

from __future__ import annotations

import tensorflow as tf


def gather(x: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, those of replica 0 first; gradients flow back to the replica of each row.

    Every replica then computes the same loss over the whole batch. The trainer divides by the number of replicas
    before gradients are summed, so that the result is that of one device with the whole batch.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return tf.ensure_shape(context.all_gather(x, axis=0), [None, *x.shape[1:]])  # all_gather loses the static shape
