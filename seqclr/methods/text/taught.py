"""Generated images, whose texts are known, beside real ones, in which a teacher predicts the text."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from seqclr.config import key
from seqclr.data.knowledge import Possible
from seqclr.methods.base import stacked
from seqclr.methods.text.ctc import ctc_loss
from seqclr.methods.text.generated import Generated
from seqclr.methods.text.self_training import teacher_logits, teacher_texts
from seqclr.nn.momentum import Momentum
from seqclr.transforms.labelled import Unlabelled


class Taught(NamedTuple):
    """What a loss of characters takes. The student's rows are those of generated images, followed by strong views.

    features: `[G + B, T, D]`, logits: `[G + B, T, classes]`, mask: `[G + B, T]` or None, of the student. labels:
    `int32 [G, L]`, the texts of the generated images, filled with -1. teacher_logits, teacher_mask: of B weak views.
    texts: `int32 [B, T]`, the teacher's, filled with -1, and their confidence `float32 [B]`.
    """

    features: tf.Tensor
    logits: tf.Tensor
    mask: tf.Tensor | None
    labels: tf.Tensor
    teacher_logits: tf.Tensor
    teacher_mask: tf.Tensor | None
    texts: tf.Tensor
    confidence: tf.Tensor


@dataclass
class TaughtCharacters(Generated):
    """CTC on generated images and a loss of the characters that a teacher finds in real ones.

    The teacher is the averaged weights (Mean Teacher, arXiv:1703.01780) on a weak view. They are the result. With
    `init`, the teacher starts as that reader; from random weights it first learns from the generated images.

    Logs also the mean `confidence` of the teacher's texts.
    """

    line_defaults: ClassVar[dict] = {"views": "strong"}

    average: float = key(0.995, "EMA decay of the weights of the teacher, which are the result", least=0, most=1)
    weak_views: str = key("none", "augmentation of the teacher's images; the student's is views", free=True)

    possible = Possible()

    def make_transform(self, views):
        return self.generator_transform(views, Unlabelled(self.weak_views, views))

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.averaged = Momentum(encoder, self.head, name="averaged")

    def result(self):
        return self.averaged

    @abc.abstractmethod
    def character_losses(self, taught: Taught, training: bool) -> dict[str, tf.Tensor]:
        """Its figures, with the weighted `loss` that is added to that of CTC."""

    def loss(self, batch, training):
        teacher, teacher_mask = teacher_logits(self, batch["weak"], batch.get("unlabelled_width"))
        texts, confidence = teacher_texts(self, teacher, teacher_mask)
        generated, labels = stacked(batch["generated"]), stacked(batch["label"])
        widths = None
        if "generated_width" in batch:
            widths = tf.concat([stacked(batch["generated_width"]), batch["unlabelled_width"]], axis=0)
        features, mask = self.encoder(tf.concat([generated, batch["strong"]], axis=0), widths, training=training)
        logits, count = self.head(features, mask, training=training), tf.shape(generated)[0]
        ctc = tf.reduce_mean(ctc_loss(labels, logits[:count], None if mask is None else mask[:count]))
        taught = Taught(features, logits, mask, labels, tf.stop_gradient(teacher), teacher_mask, texts, confidence)
        more = self.character_losses(taught, training)
        figures = {**more, "loss": ctc + more["loss"], "ctc": ctc, "confidence": tf.reduce_mean(confidence)}
        return self.with_other_losses(figures, features, mask, batch, training)

    def preview_inputs(self, batch):
        return {"weak view": batch["weak"], "strong view": batch["strong"], **super().preview_inputs(batch)}

    def after_step(self):
        super().after_step()
        self.averaged.update(self.average)
