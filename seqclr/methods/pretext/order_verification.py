"""Order verification: are three frames in order?"""

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
    """Misra et al. 2016, arXiv:1603.08561. Shuffle and Learn: whether three frames of a sequence are in order.

    One in four is; both classes count the same in loss and accuracy, or who always says no would be right three times
    of four. The paper's head is linear, which adds up what each frame says alone; a hidden layer compares them.
    """

    transform = Triplet
    chance = 0.5
    tau_max: int = key(
        60, "frames from the first to the last of the three, at most; fewer in a short sequence", least=2
    )
    tau_min: int = key(
        15, "frames from them to the one that is out of order, at least; fewer in a short sequence", least=1
    )
    positives: float = key(0.25, "share of triplets that are in order", least=0.01, most=0.99)

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
        return {**super().preview_inputs(batch), "answer": [("out of order", "in order")[i] for i in batch["label"]]}
