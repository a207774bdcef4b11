"""InstDisc on frames."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from seqclr import losses
from seqclr.config import MANY, WIDEST, key
from seqclr.losses.common import normalize, products
from seqclr.methods.clustering.surrogate import Surrogate
from seqclr.methods.registry import register
from seqclr.nn.bank import Bank
from seqclr.nn.heads import mlp
from seqclr.nn.replicas import gather


@register(
    "inst_disc",
    paper="Wu et al. 2018, arXiv:1805.01978",
    negatives="instances of the whole dataset",
    stores="a memory bank, the constant Z",
    needs_whole_batch="noise is drawn once for it",
)
@dataclass
class InstDisc(Surrogate):
    """Wu et al. 2018, arXiv:1805.01978. Every instance is a class of its own, and its vector in a memory bank the
    weight of the class.

    Batch norm follows the projection, unlike in the paper: frames start nearly alike, and the constant Z of the first
    batch would not fit once they part. Noise is drawn once a batch, from the step's number, so that all replicas draw
    the same.
    No proximal term, as in the official code.
    """

    temperature: float = key(0.07, "of the scores", least=1e-3)
    noise: int = key(4096, "noise that an instance is told from; 0: all instances, in one softmax", least=0, most=MANY)
    bank_momentum: float = key(0.5, "what a vector of the bank keeps of itself", least=0, most=1)
    projection_dim: int = key(128, "of what is compared", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector = mlp((self.projection_dim,), "projector", input_dim=encoder.dim, output_norm=True)
        windows = self.present().sum(axis=1)
        self.starts = tf.constant(np.cumsum(windows) - windows, tf.int32)  # of each record its first row in the bank
        self.bank = Bank(int(windows.sum()), self.projection_dim)
        self.partition = keras.Variable(0.0, trainable=False, name="partition")  # Z, of the first batch
        self.steps = keras.Variable(0, trainable=False, dtype="int32", name="steps")

    def loss(self, batch, training):
        features, mask = self.encode(batch, training)
        pooled, valid = self.pool(self.projector(features, mask, training=training), batch, mask)
        count = pooled.shape[1]
        rows = tf.reshape(tf.gather(self.starts, batch["index"])[:, None] + tf.range(count), [-1])
        vectors = normalize(tf.reshape(pooled, [-1, self.projection_dim]))
        if valid is not None:
            rows, vectors = (tf.boolean_mask(x, tf.reshape(valid, [-1])) for x in (rows, vectors))
        rows, vectors = gather(rows), gather(vectors)
        memory = self.bank.vectors.value
        if self.noise:
            loss = self.among(vectors, rows, memory, training)
        else:
            loss = self.among_all(vectors, rows, memory)
        if training:
            self.bank.follow(rows, vectors, self.bank_momentum)
            self.steps.assign(self.steps.value + 1)
        return {"loss": loss}

    def among_all(self, vectors, rows, memory) -> tf.Tensor:
        scores = products(vectors, memory) / self.temperature
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=rows, logits=scores))

    def among(self, vectors, rows, memory, training: bool) -> tf.Tensor:
        """Noise-contrastive estimation against `noise` instances drawn evenly, the same for all of a batch."""
        size = memory.shape[0]
        others = tf.random.stateless_uniform([self.noise], [self.steps.value, 0], 0, size, tf.int32)
        positive = tf.exp(tf.reduce_sum(vectors * tf.gather(memory, rows), -1) / self.temperature)
        negative = tf.exp(products(vectors, tf.gather(memory, others)) / self.temperature)
        first = tf.stop_gradient(tf.reduce_mean(negative) * size)
        z = tf.where(self.partition.value > 0, self.partition.value, first)
        if training:
            self.partition.assign(z)
        return losses.nce(positive, negative, self.noise, size, z)
