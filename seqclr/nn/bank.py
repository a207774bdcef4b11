"""Memory bank: a vector for every instance of a data set."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from seqclr.losses.common import normalize


class Bank(keras.layers.Layer):
    """`vectors: float32 [size, dim]`, initialized uniformly within `sqrt(3 / dim)` of 0, so about unit vectors.

    Wu et al. 2018, arXiv:1805.01978.
    """

    def __init__(self, size: int, dim: int, name: str = "bank"):
        super().__init__(name=name)
        self.vectors = self.add_weight(shape=(size, dim), dtype="float32", trainable=False, name="vectors")
        limit = math.sqrt(3 / dim)
        self.vectors.assign(keras.random.uniform((size, dim), -limit, limit))
        self.built = True

    def follow(self, rows: tf.Tensor, vectors: tf.Tensor, momentum: float) -> None:
        """Sets rows to `normalized(momentum * old + (1 - momentum) * new)`. All replicas must set the same rows."""
        kept = momentum * tf.gather(self.vectors.value, rows) + (1 - momentum) * normalize(vectors)
        moved = tf.stop_gradient(normalize(kept))
        self.vectors.assign(tf.tensor_scatter_nd_update(self.vectors.value, rows[:, None], moved))
