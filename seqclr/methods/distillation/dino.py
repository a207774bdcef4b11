"""DINO on frames."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import keras
import tensorflow as tf

from seqclr import losses
from seqclr.config import MANY, WIDEST, key
from seqclr.losses.common import masked_mean, normalize
from seqclr.methods.momentum import MomentumMethod
from seqclr.methods.multicrop import MultiCropMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import Head
from seqclr.nn.momentum import Momentum
from seqclr.nn.norm import batch_norm, by_batch


@register(
    "dino",
    paper="Caron et al. 2021, arXiv:2104.14294",
    negatives="prototypes",
    stores="prototypes, a centre",
    ema_network="teacher",
    needs_whole_batch="the centre is an average over it",
)
@dataclass
class DINO(MultiCropMethod, MomentumMethod):
    """Self-distillation (Caron et al. 2021, arXiv:2104.14294): for every crop, the student predicts the teacher's
    distribution over prototypes for a full view.

    The paper's head is 2048 wide with a bottleneck of 256 and 65,536 prototypes, for 384 and more features and 1.3
    million images. This one ends with batch norm: frames of a new encoder are nearly identical, and without it the
    teacher's centred outputs stayed uniform.
    """

    target_momentum: float = key(
        0.996, "EMA decay of the teacher at the start; it rises to 1 by a half cosine", least=0, most=1
    )
    prototypes: int = key(1024, "number of prototypes; 65536 in the paper", least=2, most=MANY)
    temperature: float = key(0.1, "temperature of the student's softmax", least=1e-3)
    teacher_temperature: float = key(0.07, "temperature of the teacher's softmax after its warm-up", least=1e-3)
    first_teacher_temperature: float = key(0.04, "temperature of the teacher's softmax at the start", least=1e-3)
    teacher_warmup: float = key(0.1, "fraction of the run in which the teacher's temperature rises", least=0, most=1)
    center_momentum: float = key(0.9, "EMA decay of the centre of the teacher's outputs", least=0, most=1)
    hidden_dim: int = key(512, "width of the head's hidden layers; 2048 in the paper", least=1, most=WIDEST)
    projection_dim: int = key(128, "output size of the projection head; 256 in the paper", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        gelu = functools.partial(keras.activations.gelu, approximate=True)
        dense = [keras.layers.Dense(self.hidden_dim, activation=gelu, name=f"dense{i}") for i in range(2)]
        dense.append(keras.layers.Dense(self.projection_dim, use_bias=False, name="dense2"))
        dense.append(batch_norm(name="bn", center=False, scale=False))
        self.projector = Head(dense, name="projector")
        self.projector.build((None, None, encoder.dim))
        self.make_prototypes(self.projection_dim)
        self.center = keras.Variable(tf.zeros(self.prototypes), trainable=False, name="center")
        self.target = Momentum(self.encoder, self.projector, self.last, name="target")

    def loss(self, batch, training):
        student = self.crops(batch, training)
        with self.target.weights_in_use(), by_batch(training):  # without dropout, as in inference
            teacher = self.crops(batch, training=False, small=False)
            targets = [self.logits(crop.rows) for crop in teacher]
        logits, visible = [self.logits(crop.rows) for crop in student], [crop.visible for crop in student]
        warmth = self.warm_temperature()
        loss = losses.dino(logits, targets, self.center.value, self.temperature, warmth, visible)
        if training:
            in_view = tf.concat([crop.visible for crop in teacher], axis=0)
            mean = masked_mean(tf.concat(targets, axis=0), in_view[:, None], axis=0)
            self.center.assign(self.center_momentum * self.center.value + (1 - self.center_momentum) * mean)
        return {"loss": loss}

    def result(self):
        """The teacher, which the paper evaluates because it is better than the student throughout."""
        return self.target

    def logits(self, rows: tf.Tensor) -> tf.Tensor:
        """Cosines with the prototypes, whose norm is always 1."""
        return tf.matmul(normalize(rows), tf.math.l2_normalize(self.last.kernel.value, axis=0))

    def warm_temperature(self) -> tf.Tensor:
        """The teacher's temperature at this step."""
        done = tf.cast(self.target.updates.value, tf.float32) / max(1, int(self.teacher_warmup * self.run.total_steps))
        first = self.first_teacher_temperature
        return first + (self.teacher_temperature - first) * tf.minimum(done, 1.0)
