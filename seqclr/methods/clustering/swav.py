"""SwAV on frames."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from seqclr import losses
from seqclr.config import MANY, WIDEST, key
from seqclr.errors import UserError
from seqclr.losses.common import normalize, soft_cross_entropy
from seqclr.methods.multicrop import MultiCropMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp
from seqclr.nn.queue import Queue


@register(
    "swav",
    paper="Caron et al. 2020, arXiv:2006.09882",
    negatives="prototypes",
    stores="prototypes, optionally a queue",
    needs_whole_batch="codes are assigned over the batch",
)
@dataclass
class SwAV(MultiCropMethod):
    """Prediction of the code of a full view, its soft assignment to prototypes, from every other view (Caron et al.
    2020, arXiv:2006.09882).

    Codes use all prototypes equally, so a batch with its queue needs as many instances. The defaults suit 64 images;
    the paper has 3000 prototypes for batches of 4096, and a hidden layer of 2048. Codes as soft as the paper's stayed
    uniform with small batches. One queue holds both full views, where the official code has one for each.
    """

    prototypes: int = key(64, "number of prototypes; 3000 in the paper", least=2, most=MANY)
    temperature: float = key(0.1, "temperature of the softmax that predicts a code", least=1e-3)
    epsilon: float = key(0.01, "softness of the codes; 0.05 in the paper", least=1e-3)
    queue_size: int = key(
        0, "number of earlier projections in the assignment of codes, for small batches; 3840 in the paper", least=0
    )
    queue_start: float = key(
        0.075, "initial fraction of the run in which the queue is filled but not used", least=0, most=1
    )
    hidden_dim: int = key(256, "width of the head's hidden layer", least=1, most=WIDEST)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        if self.run.batch_size:
            count = self.run.batch_size * self.windows() + self.queue_size
            if self.prototypes > count:
                raise UserError(
                    f"prototypes {self.prototypes}: codes are assigned over {count} instances, so take at most as many "
                    "prototypes, a larger batch_size or a queue_size"
                )
        self.projector = mlp((self.hidden_dim, self.projection_dim), "projector", input_dim=encoder.dim)
        self.make_prototypes(self.projection_dim)
        if self.queue_size:
            self.queue = Queue(self.queue_size, self.projection_dim)
            self.steps = keras.Variable(0, trainable=False, dtype="int32", name="steps")

    def loss(self, batch, training):
        rows, visible = zip(*self.crops(batch, training))
        rows = [normalize(crop) for crop in rows]
        scores = [self.last(crop) for crop in rows]
        loss = tf.reduce_mean([self.swapped(i, scores, visible) for i in range(2)])
        if training and self.queue_size:
            self.queue.push(tf.concat([tf.boolean_mask(rows[i], visible[i]) for i in range(2)], axis=0))
            self.steps.assign(self.steps.value + 1)
        return {"loss": loss}

    def swapped(self, i: int, scores: list[tf.Tensor], visible: list[tf.Tensor]) -> tf.Tensor:
        """The loss of the other crops' predictions of the codes of crop i, over the instances visible in both."""
        codes = self.codes(tf.boolean_mask(scores[i], visible[i]))
        predicted = [
            [tf.boolean_mask(of, visible[i]) for of in (scores[j], visible[j])] for j in range(len(scores)) if j != i
        ]
        return tf.reduce_mean(
            [soft_cross_entropy(codes, logits / self.temperature, both) for logits, both in predicted]
        )

    def codes(self, scores: tf.Tensor) -> tf.Tensor:
        if not self.queue_size:
            return losses.sinkhorn(scores, self.epsilon)
        used = tf.where(self.steps.value < int(self.queue_start * self.run.total_steps), 0, self.queue_size)
        scores = tf.concat([self.last(self.queue.keys.value[:used]), scores], axis=0)
        return losses.sinkhorn(scores, self.epsilon)[used:]

    def after_step(self):
        self.last.kernel.assign(tf.math.l2_normalize(self.last.kernel.value, axis=0))
