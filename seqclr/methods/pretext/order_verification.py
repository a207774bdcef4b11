"""Order verification: whether three frames are in order."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.pretext.ordered import Ordered
from seqclr.methods.registry import register
from seqclr.transforms.order import Triplet


@register("order_verification", paper="Misra et al. 2016, arXiv:1603.08561")
@dataclass
class OrderVerification(Ordered):
    """Classification of three frames as in order or not (Shuffle and Learn, Misra et al. 2016, arXiv:1603.08561).

    One triplet in four is in order. Both classes have equal weight in loss and accuracy; otherwise a constant "no"
    would be right three times in four. The paper's head is linear, which sums evidence from single frames; the hidden
    layer of this one compares them.
    """

    transform = Triplet
    chance = 0.5
    tau_max: int = key(60, "largest distance of the first and the last frame; less in a short sequence", least=2)
    tau_min: int = key(
        15, "least distance of the frame out of order from the first or last; less in a short sequence", least=1
    )
    positives: float = key(0.25, "fraction of triplets that are in order", least=0.01, most=0.99)

    def make_transform(self, views):
        return Triplet(views, self.tau_max, self.tau_min, self.positives)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.make_head(3 * encoder.dim, classes=2, slices=1)

    def loss(self, batch, training):
        features = self.features(batch, training)
        logits = self.logits(tf.reshape(features, [-1, 3 * self.encoder.dim]), training)
        label = batch["label"]
        errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits)
        weights = tf.where(label == 1, 0.5 / self.positives, 0.5 / (1 - self.positives))
        right = tf.cast(tf.argmax(logits, -1, tf.int32) == label, tf.float32)
        accuracy = tf.reduce_sum(right * weights) / tf.reduce_sum(weights)
        return {"loss": tf.reduce_mean(errors * weights), "accuracy": accuracy}

    def preview_inputs(self, batch):
        return {**super().preview_inputs(batch), "target": [("out of order", "in order")[i] for i in batch["label"]]}
