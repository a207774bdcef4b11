"""Distillation of a recognizer on images without labels."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.losses.common import masked_mean
from seqclr.methods.text.self_training import Semisupervised


@dataclass
class Distillation(Semisupervised):
    """The third step of SimCLRv2 (Chen et al. 2020, arXiv:2006.10029) on frames: a student of any architecture predicts
    the distribution of a frozen recognizer, the teacher, at each frame of the same view.

    The loss of a frame is the cross-entropy of the two distributions over characters and blank, both with the
    temperature; labelled images add the CTC loss. Logs also the `supervised` and the `distilled` loss.
    """

    temperature: float = key(
        1.0, "temperature of both softmaxes; above 1 softens the teacher's distribution", least=1e-3
    )

    def loss(self, batch, training):
        supervised, logits, mask = self.forward_both(batch, training)
        teacher, _ = self.run.teacher(batch["strong"], batch.get("unlabelled_width"))
        target, student = (tf.cast(x, tf.float32) / self.temperature for x in (teacher, logits))
        each = tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(tf.nn.softmax(target)), student)
        valid = tf.ones_like(each, tf.bool) if mask is None else mask
        distilled = tf.reduce_mean(masked_mean(each, valid, axis=1))
        loss = supervised + self.unlabelled_weight * distilled
        return {"loss": loss, "supervised": supervised, "distilled": distilled}
