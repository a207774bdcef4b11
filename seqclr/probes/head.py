"""The dense layer of the linear probes."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from seqclr.probes.rows import BATCH

STEPS = 2500
RATE = 0.03  # with a third of it the head for CTC has not converged after so many steps
DECAY = 0.03  # of the head: doubles the accuracy of CTC with 200 labels, and does not change it with 1,000


class LinearHead:
    """A dense layer on standardised features.

    dim: of a feature. outputs: of the layer. seed: of the order of the rows, all that is drawn.
    """

    def __init__(self, dim: int, outputs: int, seed: int = 0):
        self.seed = seed
        self.dense = keras.layers.Dense(outputs, kernel_initializer="zeros", dtype="float32")
        self.dense.build((None, None, dim))

    def learn(self, features: np.ndarray, seen: np.ndarray, loss: Callable, steps: int) -> None:
        """Takes `steps` steps on rows of `features: [N, ..., D]`, standardised by those of `seen: [M, D]`.

        loss: of logits and of the rows that they are of.
        """
        spread = seen.std(0, dtype=np.float64)
        self.mean = seen.mean(0, dtype=np.float64).astype(np.float32)
        self.scale = np.where(spread > 1e-6, spread, 1).astype(np.float32)
        optimizer = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(RATE, steps), weight_decay=DECAY)
        variables = self.dense.trainable_variables
        optimizer.build(variables)

        @tf.function
        def take(features, order):
            for rows in order:
                with tf.GradientTape() as tape:
                    value = loss(self.logits(tf.gather(features, rows)), rows)
                optimizer.apply(tape.gradient(value, variables), variables)

        take(tf.constant(features), tf.constant(self._order(len(features), steps)))

    def logits(self, features):
        return self.dense((features - self.mean) / self.scale)

    def _order(self, count: int, steps: int) -> np.ndarray:
        """Rows of every step, `[steps, BATCH]`: one shuffled pass after the other."""
        draw = np.random.default_rng(self.seed)
        passes = [draw.permutation(count) for _ in range(-(-steps * BATCH // count))]
        return np.concatenate(passes)[: steps * BATCH].reshape(steps, BATCH)
