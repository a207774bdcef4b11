"""Semi-supervised text recognition: labelled images and images without labels."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.data.knowledge import NOTHING, Known, Possible
from seqclr.errors import UserError
from seqclr.methods.text.ctc import CTC, ctc_loss
from seqclr.nn import constrained, decode
from seqclr.transforms.labelled import Unlabelled

RAMP = 0.1  # fraction of the run in which the weight of the images without labels rises, from `start` on


@dataclass
class Semisupervised(CTC):
    """Base of the methods that train on labelled images and images without labels: a batch has the columns of
    `Labelled` and, from the step `start` on, those of `unlabelled_transform`."""

    unlabelled_batch_size: int | None = key(
        None, "number of images without labels in a batch; by default batch_size", least=1
    )
    unlabelled_weight: float = key(1.0, "weight of the loss of images without labels", least=0)

    start = 0

    def unlabelled_transform(self, views: str) -> Unlabelled:
        """The transform of the images without labels; `views` names the student's augmentation."""
        return Unlabelled(None, views)

    def forward_both(self, batch: dict[str, tf.Tensor], training: bool):
        """The CTC loss of labelled images, and logits and mask of the others, from one pass, for batch norm."""
        images = tf.concat([batch["image"], batch["strong"]], axis=0)
        widths = tf.concat([batch["width"], batch["unlabelled_width"]], axis=0) if "width" in batch else None
        features, mask = self.encoder(images, widths, training=training)
        logits = self.head(features, mask, training=training)
        rows = tf.shape(batch["image"])[0]
        labelled, unlabelled = (None, None) if mask is None else (mask[:rows], mask[rows:])
        return tf.reduce_mean(ctc_loss(batch["label"], logits[:rows], labelled)), logits[rows:], unlabelled


@dataclass
class SelfTraining(Semisupervised):
    """FixMatch (Sohn et al. 2020, arXiv:2001.07685) for CTC, with the teacher of Mean Teacher (arXiv:1703.01780).

    The teacher, the averaged weights, predicts the text of a weak view of an image without a label. Where its
    confidence is high enough, the prediction is the label of a strong view. With `average=0` the teacher is the student
    itself, as in FixMatch.

    Logs also the `supervised` loss, the `accepted` fraction of the rows, and the mean `confidence` (both 0 before the
    start).
    """

    average: float = key(
        0.998, "EMA decay of the weights of the teacher, which are used for prediction", least=0, most=1
    )
    unlabelled_start: float = key(0.3, "fraction of the run with labelled images only", least=0, most=1)
    confidence: float = key(0.9, "least probability of a teacher's text that is used as a label", least=0, most=1)
    known_charset: str | None = key(
        None, "all characters that occur in the images without labels, if they are known", free=True
    )
    known_length: str | None = key(
        None, "all lengths of the texts in the images without labels: 4, 4:6 or 4,6 (in YAML in quotes)", free=True
    )
    weak_views: str = key("none", "augmentation of the teacher's images; the student's is views", free=True)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        try:
            known = Known.of(self.known_charset, self.known_length)
            self.possible = Possible() if known == NOTHING else known.possible(self.run.charset, encoder.width)
        except UserError as error:  # it begins with the name of the key
            raise UserError(f"known_{error}") from None

    def averages(self):
        return True

    def unlabelled_transform(self, views):
        return Unlabelled(self.weak_views, views)

    @property
    def start(self) -> int:
        """The first step with images without labels."""
        return int(self.unlabelled_start * self.run.total_steps)

    def phase(self, step):
        return self.frozen(step), step >= self.start

    def loss(self, batch, training):
        if "strong" not in batch:
            supervised = super().loss(batch, training)["loss"]
            return {"loss": supervised, "supervised": supervised, "accepted": 0.0, "confidence": 0.0}
        texts, confidence = self.predict(batch["weak"], batch.get("unlabelled_width"))
        accepted = tf.logical_and(confidence >= self.confidence, texts[:, 0] >= 0)
        supervised, logits, mask = self.forward_both(batch, training)
        losses = tf.where(accepted, ctc_loss(nonempty(texts), logits, mask), 0.0)
        return {
            "loss": supervised + self.unlabelled_weight * self._ramp() * tf.reduce_mean(losses),
            "supervised": supervised,
            "accepted": tf.reduce_mean(tf.cast(accepted, tf.float32)),
            "confidence": tf.reduce_mean(confidence),
        }

    def predict(self, images: tf.Tensor, widths: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """The teacher's texts, `int32 [U, T]` filled with -1, and their confidence `float32 [U]`."""
        return teacher_texts(self, *teacher_logits(self, images, widths))

    def _ramp(self) -> tf.Tensor:
        steps = tf.cast(self.averaged.updates.value, tf.float32) - self.start + 1
        return tf.clip_by_value(steps / max(1, int(RAMP * self.run.total_steps)), 0.0, 1.0)


def teacher_logits(method, images: tf.Tensor, widths: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor | None]:
    """The logits `[U, T, classes]` of a method's averaged weights, and the mask of the frames."""
    with method.averaged.weights_in_use():
        features, mask = method.encoder(images, widths, training=False)
        return method.head(features, training=False), mask


def teacher_texts(method, logits: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """The texts of logits among a method's possible texts, `int32 [U, L]` filled with -1, and their confidence
    `float32 [U]`."""
    ids, confidence = constrained.predict(logits, mask, method.possible)
    blank = logits.shape[-1] - 1
    texts = decode.pack(ids, blank)
    return tf.stop_gradient(tf.where(texts == blank, -1, texts)), tf.stop_gradient(confidence)


def nonempty(texts: tf.Tensor) -> tf.Tensor:
    """Texts `[U, T]`, with a character added to empty ones: TensorFlow's CTC refuses an empty label."""
    return tf.concat([tf.maximum(texts[:, :1], 0), texts[:, 1:]], axis=1)
