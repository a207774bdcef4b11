"""The dense layer of the linear probes."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from seqclr.probes.base import BATCH

STEPS = 2500
RATE = 0.03  # at a third of it, the CTC head has not converged after STEPS
DECAY = 0.03  # doubles the accuracy of the CTC head with 200 labels; no difference with 1,000


class LinearHead:
    """A dense layer on standardised features.

    dim: size of a feature. outputs: size of the output. seed: of the order of the samples, the only random choice.
    """

    def __init__(self, dim: int, outputs: int, seed: int = 0):
        self.seed = seed
        self.dense = keras.layers.Dense(outputs, kernel_initializer="zeros", dtype="float32")
        self.dense.build((None, None, dim))

    def train(self, features: np.ndarray, shown: np.ndarray, loss: Callable, steps: int) -> None:
        """Trains for `steps` steps on `features: [N, ..., D]`, standardised by mean and deviation of `shown: [M, D]`.

        loss: a function of the logits and the row numbers of a batch.
        """
        spread = shown.std(0, dtype=np.float64)
        self.mean = shown.mean(0, dtype=np.float64).astype(np.float32)
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
        """The row numbers of every step, `[steps, BATCH]`, shuffled in every pass."""
        draw = np.random.default_rng(self.seed)
        passes = [draw.permutation(count) for _ in range(-(-steps * BATCH // count))]
        return np.concatenate(passes)[: steps * BATCH].reshape(steps, BATCH)
