"""The pool of translated images of earlier steps."""

from __future__ import annotations

import keras
import tensorflow as tf

from seqclr.nn.replicas import gather


class ImagePool(keras.layers.Layer):
    """Up to `size` images, `images: float32 [size, height, width, 3]`, 0 to 1, and their `widths: int32 [size]`, 0 for
    none.

    Call: images `[B, height, width, 3]`, 0 to 255, and widths or None, to as many images and widths, of which about
    half are of earlier steps; those that they replace stay in the pool. Shrivastava et al. 2017, arXiv:1612.07828.
    """

    def __init__(self, size: int, height: int, width: int, name: str):
        super().__init__(name=name, dtype="float32")  # in mixed precision too
        state = {"initializer": "zeros", "trainable": False}
        self.images = self.add_weight(shape=(size, height, width, 3), dtype="float32", name="images", **state)
        self.widths = self.add_weight(shape=(size,), dtype="int32", name="widths", **state)
        self.calls = self.add_weight(shape=(), dtype="int32", name="calls", **state)
        self.built = True

    def call(self, images, widths=None):
        rows = tf.shape(images)[0]
        given = tf.fill([rows], images.shape[2]) if widths is None else widths
        new, new_widths = gather(tf.stop_gradient(images) / 255), gather(given)  # all replicas keep the same pool
        draws = tf.random.stateless_uniform([2, self.widths.shape[0]], [self.calls.value, 0])
        slots = tf.argsort(draws[0])[: tf.shape(new)[0]]
        count = tf.shape(slots)[0]  # images beyond the size of the pool are returned as they are
        old, old_widths = tf.gather(self.images.value, slots), tf.gather(self.widths.value, slots)
        swapped = (draws[1, :count] < 0.5) & (old_widths > 0)
        kept = swapped | (old_widths == 0)
        pixels = [-1, 1, 1, 1]
        self._put(self.images, slots, tf.where(tf.reshape(kept, pixels), new[:count], old))
        self._put(self.widths, slots, tf.where(kept, new_widths[:count], old_widths))
        self.calls.assign(self.calls.value + 1)
        found = tf.concat([tf.where(tf.reshape(swapped, pixels), old, new[:count]), new[count:]], axis=0)
        found_widths = tf.concat([tf.where(swapped, old_widths, new_widths[:count]), new_widths[count:]], axis=0)
        context = tf.distribute.get_replica_context()
        first = 0 if context is None else context.replica_id_in_sync_group * rows
        return 255 * found[first : first + rows], None if widths is None else found_widths[first : first + rows]

    def _put(self, variable: keras.Variable, slots: tf.Tensor, values: tf.Tensor) -> None:
        variable.assign(tf.tensor_scatter_nd_update(variable.value, slots[:, None], values))
