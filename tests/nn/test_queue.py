"""The queue keeps the newest keys in their order."""

import keras
import numpy as np
import tensorflow as tf

from seqclr.nn.queue import Queue, SupportSet


def test_the_oldest_keys_go_first():
    keras.utils.set_random_seed(0)
    queue = Queue(5, 3)
    np.testing.assert_allclose(np.linalg.norm(queue.keys.numpy(), axis=1), 1.0, rtol=1e-5)
    kept = list(queue.keys.numpy())
    push = tf.function(queue.push, reduce_retracing=True)
    rng = np.random.default_rng(0)
    for count in (2, 2, 4, 7):  # over the end, and more than it holds
        keys = rng.normal(size=(count, 3)).astype(np.float32)
        push(tf.constant(keys))
        kept = [*kept, *(keys / np.linalg.norm(keys, axis=1, keepdims=True))][-5:]
        oldest = int(queue.oldest)
        np.testing.assert_allclose(np.roll(queue.keys.numpy(), -oldest, axis=0), kept, rtol=1e-5)
    assert queue.trainable_variables == []


def test_the_nearest_key_is_of_another_image():
    queue = SupportSet(4, 2)
    keys = np.float32([[1, 0], [0, 1], [-1, 0], [0.8, 0.6]])
    queue.push(tf.constant(keys[:3]), tf.constant([0, 1, 2]))
    queue.push(2 * tf.constant(keys[3:]), tf.constant([3]))
    rows = tf.constant([[5.0, 0.1], [5.0, 0.1], [0.1, 1.0]])
    np.testing.assert_allclose(queue.nearest(rows, tf.constant([7, 0, 1])), keys[[0, 3, 3]], rtol=1e-5)
    queue.push(tf.constant(keys[1:2]), tf.constant([5]))  # in the slot of the first
    assert queue.images.numpy().tolist() == [5, 1, 2, 3] and queue.trainable_variables == []
