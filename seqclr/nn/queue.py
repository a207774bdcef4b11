"""The queue of keys of earlier batches."""

from __future__ import annotations

import keras
import tensorflow as tf

from seqclr.losses.common import normalize, products

NO_IMAGE = -1  # of the random vectors at first


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
        self._replace(self.keys, keys)
        self.oldest.assign((self.oldest.value + tf.shape(keys, out_type=tf.int64)[0]) % self.size)

    def _replace(self, column: keras.Variable, values: tf.Tensor) -> None:
        slots = (self.oldest.value + tf.range(tf.shape(values, out_type=tf.int64)[0])) % self.size
        column.assign(tf.tensor_scatter_nd_update(column.value, slots[:, None], values))


class SupportSet(Queue):
    """A queue that knows the image of each key, `images: int32 [size]`, and finds neighbours in other images.

    Dwibedi et al. 2021, arXiv:2104.14548.
    """

    def __init__(self, size: int, dim: int, name: str = "queue"):
        super().__init__(size, dim, name)
        start = keras.initializers.Constant(NO_IMAGE)
        self.images = self.add_weight(shape=(size,), dtype="int32", initializer=start, trainable=False, name="images")

    def push(self, keys: tf.Tensor, images: tf.Tensor) -> None:
        """As of a queue, with the images of the keys, `int32 [N]`."""
        self._replace(self.images, images[-self.size :])
        super().push(keys)

    def nearest(self, rows: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """The key of the largest cosine with each row `[N, dim]`, of another image than the row's own, `int32 [N]`."""
        cosines = products(normalize(rows), self.keys.value)
        others = self.images.value != images[:, None]
        return tf.gather(self.keys.value, tf.argmax(tf.where(others, cosines, cosines.dtype.min), axis=1))
