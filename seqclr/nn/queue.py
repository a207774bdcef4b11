"""The queue of keys of earlier batches."""

from __future__ import annotations

import keras
import tensorflow as tf

from seqclr.losses.common import normalize


class Queue(keras.layers.Layer):
    """The last `size` keys, `keys: float32 [size, dim]`; random unit vectors at first.

    He et al. 2020, arXiv:1911.05722.
    """

    def __init__(self, size: int, dim: int, name: str = "queue"):
        super().__init__(name=name)
        self.size = size
        self.keys = self.add_weight(shape=(size, dim), dtype="float32", trainable=False, name="keys")
        self.oldest = self.add_weight(shape=(), dtype="int64", initializer="zeros", trainable=False, name="oldest")
        self.keys.assign(normalize(keras.random.normal((size, dim))))
        self.built = True

    def push(self, keys: tf.Tensor) -> None:
        """Replaces the oldest keys by `[N, dim]`, which must be gathered, as every replica pushes the same."""
        keys = tf.stop_gradient(normalize(keys))[-self.size :]
        count = tf.shape(keys, out_type=tf.int64)[0]
        slots = (self.oldest.value + tf.range(count)) % self.size
        self.keys.assign(tf.tensor_scatter_nd_update(self.keys.value, slots[:, None], keys))
        self.oldest.assign((self.oldest.value + count) % self.size)
