"""Batch norm with statistics of the whole batch, over all replicas, and instance norm; both without padding."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

import keras
import tensorflow as tf
from keras import layers, ops

_by_batch = contextvars.ContextVar("by_batch", default=False)  # per thread: each replica has its own


@contextlib.contextmanager
def by_batch(holds: bool = True) -> Iterator[None]:
    """A context in which batch norm uses the statistics of the batch in inference too."""
    token = _by_batch.set(holds)
    try:
        yield
    finally:
        _by_batch.reset(token)


def batch_norm(name: str, center: bool = True, scale: bool = True) -> layers.Layer:
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return BatchNorm(momentum=0.9, epsilon=1e-5, center=center, scale=scale, synchronized=replicas > 1, name=name)


def instance_norm(x, valid=None):
    """`[B, H, W, C]` with mean 0 and variance 1 over the pixels of each image and channel.

    valid: `bool [B, W]`, columns that are no padding. Ulyanov et al. 2016, arXiv:1607.08022.
    """
    y = tf.cast(x, tf.float32)
    weights = tf.ones_like(y[:, :1, :, :1]) if valid is None else tf.cast(valid, tf.float32)[:, None, :, None]
    count = x.shape[1] * tf.reduce_sum(weights, axis=2, keepdims=True)
    y -= tf.reduce_sum(weights * y, axis=(1, 2), keepdims=True) / count
    variance = tf.reduce_sum(weights * tf.square(y), axis=(1, 2), keepdims=True) / count
    return tf.cast(y * tf.math.rsqrt(variance + 1e-5), x.dtype)


@keras.saving.register_keras_serializable(package="seqclr")
class BatchNorm(layers.BatchNormalization):
    """Keras' layer; `valid: bool [B, W]` excludes the padding of `[B, H, W, C]` or `[B, W, C]` from the statistics.

    keeps_statistics: use the moving statistics, and keep them, in training too.
    """

    keeps_statistics = False

    def call(self, x, valid=None, training=None):
        training = (training or _by_batch.get()) and not self.keeps_statistics
        if training and self.trainable and valid is None and not self.synchronized:
            return self._fused(x)
        if valid is not None:
            valid = valid[:, None, :] if len(x.shape) == 4 else valid
        return super().call(x, training=training, mask=valid)

    def _fused(self, x):
        """Keras' training call as one fused kernel, which passes over the batch once."""
        scale = ops.ones(x.shape[-1]) if self.gamma is None else ops.convert_to_tensor(self.gamma)
        offset = ops.zeros(x.shape[-1]) if self.beta is None else ops.convert_to_tensor(self.beta)
        image = x[(slice(None), *(None,) * (4 - len(x.shape)))]  # the kernel takes [B, H, W, C] only
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(image, scale, offset, epsilon=self.epsilon)
        count = ops.cast(ops.size(x) // x.shape[-1], variance.dtype)
        variance *= (count - 1) / count  # the kernel divides by count - 1
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return tf.reshape(y, tf.shape(x))

    def _moments(self, inputs, mask):
        if mask is None:
            return super()._moments(inputs, mask)
        weights = ops.cast(mask, inputs.dtype)[..., None]  # Keras' own does not sum over replicas
        axes = tuple(range(len(inputs.shape) - 1))
        count, total = self._summed(ops.sum(weights * ops.ones_like(inputs[..., :1])), ops.sum(weights * inputs, axes))
        mean = total / count
        # not E[x^2] - E[x]^2, which loses all precision on nearly equal frames
        (squares,) = self._summed(ops.sum(weights * ops.square(inputs - mean), axes))
        return mean, squares / count

    def _summed(self, *sums):
        """Sums over all replicas."""
        if not self.synchronized:
            return sums
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, list(sums))
