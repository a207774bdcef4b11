"""CTC on generated images and supervised contrast of the characters that are predicted in real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from seqclr.config import WIDEST, key
from seqclr.data.knowledge import Possible
from seqclr.methods.base import stacked
from seqclr.methods.registry import register
from seqclr.methods.text.characters import alike, character_contrast
from seqclr.methods.text.ctc import ctc_loss
from seqclr.methods.text.generated import Generated
from seqclr.methods.text.self_training import teacher_logits, teacher_texts
from seqclr.nn.heads import mlp
from seqclr.nn.momentum import Momentum
from seqclr.transforms.labelled import Unlabelled


@register(
    "pseudo_characters",
    paper="Khosla et al. 2020, arXiv:2004.11362",
    negatives="other characters of the batch",
    ema_network="teacher",
    needs_whole_batch="its other characters are positives and negatives",
)
@dataclass
class PseudoCharacters(Generated):
    """Equal characters of different images attract each other: SupCon (Khosla et al. 2020, arXiv:2004.11362) of the
    characters of generated images, whose texts are known, and of real ones, whose texts a teacher predicts.

    The teacher is the averaged weights (Mean Teacher, arXiv:1703.01780) on a weak view; a text counts where its
    confidence is high enough. A character is the mean of its frames at the CTC alignment. The averaged weights are the
    result. With `init`, the teacher starts as that reader; from new weights it first learns from the generated images.

    Logs also the `accepted` fraction of the real images, and the mean `confidence`.
    """

    line_defaults: ClassVar[dict] = {"views": "strong"}

    contrast: float = key(0.3, "weight of the contrastive loss, relative to the CTC loss", least=0)
    temperature: float = key(0.1, "temperature of the softmax of the contrastive loss", least=1e-3)
    confidence: float = key(0.9, "least probability of a teacher's text whose characters are used", least=0, most=1)
    average: float = key(0.995, "EMA decay of the weights of the teacher, which are the result", least=0, most=1)
    weak_views: str = key("none", "augmentation of the teacher's images; the student's is views", free=True)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)

    possible = Possible()

    def make_transform(self, views):
        return self.generator_transform(views, Unlabelled(self.weak_views, views))

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector = mlp((encoder.dim, self.projection_dim), "projector", input_dim=encoder.dim)
        self.averaged = Momentum(encoder, self.head, name="averaged")

    def result(self):
        return self.averaged

    def loss(self, batch, training):
        texts, confidence = teacher_texts(self, *teacher_logits(self, batch["weak"], batch.get("unlabelled_width")))
        accepted = (confidence >= self.confidence) & (texts[:, 0] >= 0)
        generated, labels = stacked(batch["generated"]), stacked(batch["label"])
        widths = None
        if "generated_width" in batch:
            widths = tf.concat([stacked(batch["generated_width"]), batch["unlabelled_width"]], axis=0)
        features, mask = self.encoder(tf.concat([generated, batch["strong"]], axis=0), widths, training=training)
        logits, count = self.head(features, mask, training=training), tf.shape(generated)[0]
        ctc = tf.reduce_mean(ctc_loss(labels, logits[:count], None if mask is None else mask[:count]))
        used = tf.concat([tf.ones([count], tf.bool), accepted], axis=0)
        projected, every = self.projector(features, mask, training=training), tf.concat(alike(labels, texts), axis=0)
        contrast = character_contrast(projected, logits, every, used, mask, self.temperature)
        figures = {
            "loss": ctc + self.contrast * contrast,
            "ctc": ctc,
            "contrast": contrast,
            "accepted": tf.reduce_mean(tf.cast(accepted, tf.float32)),
            "confidence": tf.reduce_mean(confidence),
        }
        return self.with_other_losses(figures, features, mask, batch, training)

    def preview_inputs(self, batch):
        return {"weak view": batch["weak"], "strong view": batch["strong"], **super().preview_inputs(batch)}

    def after_step(self):
        super().after_step()
        self.averaged.update(self.average)
