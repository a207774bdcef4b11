"""The queue keeps the newest keys in their order."""

import keras
import numpy as np
import tensorflow as tf

from seqclr.nn.queue import Queue


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
