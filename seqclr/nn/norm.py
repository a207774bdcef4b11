"""Batch norm whose statistics are those of the whole batch: over all replicas, and over what is no padding."""

from __future__ import annotations

import tensorflow as tf
from keras import layers, ops


def batch_norm(name: str, center: bool = True, scale: bool = True) -> layers.Layer:
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return BatchNorm(momentum=0.9, epsilon=1e-5, center=center, scale=scale, synchronized=replicas > 1, name=name)


class BatchNorm(layers.BatchNormalization):
    """Keras' layer; with `valid: bool [B, W]` the padding of `[B, H, W, C]` or `[B, W, C]` does not count."""

    def call(self, x, valid=None, training=None):
        if valid is not None:
            shape = ops.shape(x)[:-1]
            valid = ops.broadcast_to(valid[:, None, :] if len(shape) == 3 else valid, shape)
        return super().call(x, training=training, mask=valid)
