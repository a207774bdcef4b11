"""A method of two numbers, one of them an adversary, whose gradients are known."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from seqclr.methods.base import Method
from seqclr.transforms.two_views import OneView


@dataclasses.dataclass
class Chase(Method):
    """One number goes where another is, which goes where the batch is bright, at half the rate and perhaps later."""

    transform = OneView
    adversaries = frozenset({"there"})
    late = 0

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.here, self.there = (keras.Variable(np.float32(x), name=n) for x, n in ((0.2, "here"), (0.9, "there")))

    def loss(self, batch, training):
        bright = tf.reduce_mean(tf.cast(batch["views"], tf.float32)) / 255
        return {"loss": (self.here - self.there) ** 2, "adversary_loss": (self.there - bright) ** 2 - self.here.value}

    def frozen(self, step):
        return frozenset({"there"} if step < self.late else ())

    def learning_rate_factors(self):
        return {"there": 0.5}
