"""Reading, learned from what a recognizer reads in images without labels."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.losses.common import masked_mean
from seqclr.methods.text.self_training import Semisupervised


@dataclass
class Distillation(Semisupervised):
    """The third step of SimCLRv2 (Chen et al. 2020, arXiv:2006.10029) on frames: a student, of any architecture, says
    of every frame what a recognizer that stays as it is says of the same frame of the same view.

    A frame's loss is the cross-entropy of the two distributions over characters and blank, both softened; labels count
    beside it by CTC. Logs also the `supervised` and the `distilled` loss.
    """

    temperature: float = key(1.0, "of both softmaxes: more than 1 softens what the teacher says", least=1e-3)

    def loss(self, batch, training):
        supervised, logits, mask = self.read_both(batch, training)
        said, _ = self.run.teacher(batch["strong"], batch.get("unlabelled_width"))
        wanted, found = (tf.cast(x, tf.float32) / self.temperature for x in (said, logits))
        each = tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(tf.nn.softmax(wanted)), found)
        shown = tf.ones_like(each, tf.bool) if mask is None else mask
        distilled = tf.reduce_mean(masked_mean(each, shown, axis=1))
        loss = supervised + self.unlabelled_weight * distilled
        return {"loss": loss, "supervised": supervised, "distilled": distilled}
