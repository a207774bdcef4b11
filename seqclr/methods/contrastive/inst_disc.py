"""InstDisc (instance discrimination) on frames."""

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
    """Every instance is a class, whose weight is the instance's vector in a memory bank (Wu et al. 2018,
    arXiv:1805.01978).

    Unlike in the paper, batch norm follows the projection: frames of a new encoder are nearly equal, and the constant
    Z of the first batch would not fit later ones. Noise is sampled once per batch, seeded by the step, so that all
    replicas have the same. There is no proximal term, as in the official code.
    """

    temperature: float = key(0.07, "temperature of the scores", least=1e-3)
    noise: int = key(4096, "negatives drawn from the memory bank; 0: a softmax over all instances", least=0, most=MANY)
    bank_momentum: float = key(0.5, "EMA decay of the vectors in the memory bank", least=0, most=1)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector = mlp((self.projection_dim,), "projector", input_dim=encoder.dim, output_norm=True)
        windows = self.present().sum(axis=1)
        self.starts = tf.constant(np.cumsum(windows) - windows, tf.int32)  # first row of each record in the bank
        self.bank = Bank(int(windows.sum()), self.projection_dim)
        self.partition = keras.Variable(0.0, trainable=False, name="partition")  # Z, set by the first batch
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
            loss = self.nce_loss(vectors, rows, memory, training)
        else:
            loss = self.softmax_loss(vectors, rows, memory)
        if training:
            self.bank.follow(rows, vectors, self.bank_momentum)
            self.steps.assign(self.steps.value + 1)
        return {"loss": loss}

    def softmax_loss(self, vectors, rows, memory) -> tf.Tensor:
        """Cross-entropy of the softmax over all instances of the bank."""
        scores = products(vectors, memory) / self.temperature
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=rows, logits=scores))

    def nce_loss(self, vectors, rows, memory, training: bool) -> tf.Tensor:
        """Noise-contrastive estimation against `noise` uniformly drawn instances, the same for the whole batch."""
        size = memory.shape[0]
        others = tf.random.stateless_uniform([self.noise], [self.steps.value, 0], 0, size, tf.int32)
        positive = tf.exp(tf.reduce_sum(vectors * tf.gather(memory, rows), -1) / self.temperature)
        negative = tf.exp(products(vectors, tf.gather(memory, others)) / self.temperature)
        first = tf.stop_gradient(tf.reduce_mean(negative) * size)
        z = tf.where(self.partition.value > 0, self.partition.value, first)
        if training:
            self.partition.assign(z)
        return losses.nce(positive, negative, self.noise, size, z)
