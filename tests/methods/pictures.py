"""Pictures whose colour can be told from their lightness and the other way round."""

import keras
import numpy as np
import tensorflow as tf

from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from tests import networks

SIDE = 16


def striped(count):
    """Dark reds and light blues in noise, `uint8 [count, SIDE, SIDE, 3]`: one above, the other below."""
    rng = np.random.default_rng(0)
    edge = rng.integers(4, SIDE - 4, (count, 1, 1, 1))
    red = (np.arange(SIDE)[:, None, None] < edge) ^ rng.integers(0, 2, (count, 1, 1, 1)).astype(bool)
    return np.clip(np.where(red, [140, 30, 30], [120, 150, 230]) + rng.normal(0, 8, (count, SIDE, SIDE, 3)), 0, 255)


def made(name, encoder, **keys):
    """The method, built, having seen such pictures."""
    keras.utils.set_random_seed(0)
    method = METHODS[name](**keys)
    method.pixels = striped(64).astype(np.uint8).reshape(-1, 3)
    with networks.offered():
        method.build(build_encoder(encoder, SIDE, SIDE, "none"))
    return method


def batch():
    return {"views": tf.constant(striped(8).astype(np.uint8)[:, None]), "index": tf.range(8)}


def train(method, data, steps):
    """What `loss` says after some steps."""
    optimizer = keras.optimizers.Adam(3e-3)
    weights = [v for part in method.parts().values() for v in part.trainable_variables]

    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = method.loss(data, training=True)["loss"]
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
    return method.loss(data, training=True)
