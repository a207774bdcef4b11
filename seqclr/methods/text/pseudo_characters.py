"""Supervised contrast of the characters of generated images and of those that are predicted in real ones."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import WIDEST, key
from seqclr.methods.registry import register
from seqclr.methods.text.characters import alike, character_contrast
from seqclr.methods.text.taught import TaughtCharacters
from seqclr.nn.heads import mlp


@register(
    "pseudo_characters",
    paper="Khosla et al. 2020, arXiv:2004.11362",
    negatives="other characters of the batch",
    ema_network="teacher",
    needs_whole_batch="its other characters are positives and negatives",
)
@dataclass
class PseudoCharacters(TaughtCharacters):
    """Equal characters of different images attract each other: SupCon (Khosla et al. 2020, arXiv:2004.11362) of the
    characters of generated images, whose texts are known, and of real ones, whose texts a teacher predicts.

    A teacher's text counts where its confidence is high enough. A character is the mean of its frames at the CTC
    alignment. Logs also the `accepted` fraction of the real images.
    """

    contrast: float = key(0.3, "weight of the contrastive loss, relative to the CTC loss", least=0)
    temperature: float = key(0.1, "temperature of the softmax of the contrastive loss", least=1e-3)
    confidence: float = key(0.9, "least probability of a teacher's text whose characters are used", least=0, most=1)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector = mlp((encoder.dim, self.projection_dim), "projector", input_dim=encoder.dim)

    def character_losses(self, taught, training):
        accepted = (taught.confidence >= self.confidence) & (taught.texts[:, 0] >= 0)
        used = tf.concat([tf.ones(tf.shape(taught.labels)[:1], tf.bool), accepted], axis=0)
        rows = self.projector(taught.features, taught.mask, training=training)
        texts = tf.concat(alike(taught.labels, taught.texts), axis=0)
        contrast = character_contrast(rows, taught.logits, texts, used, taught.mask, self.temperature)
        accepted = tf.reduce_mean(tf.cast(accepted, tf.float32))
        return {"loss": self.contrast * contrast, "contrast": contrast, "accepted": accepted}
