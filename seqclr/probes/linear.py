"""The linear probe of classes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from seqclr.probes.classes import ClassProbe
from seqclr.probes.head import STEPS, LinearHead


class LinearProbe(ClassProbe):
    """Softmax regression on standardised features."""

    kind = "linear"
    options = ("steps",)
    steps = STEPS

    def classify(self, train, held, seed):
        labels = tf.constant(self.labels)

        def loss(logits, rows):
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(labels, rows), logits))

        head = LinearHead(train.shape[1], len(self.classes), seed)
        head.train(train, train, loss, self.steps)
        return np.argmax(head.logits(held), axis=-1)
