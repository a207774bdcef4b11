"""Assignment of the characters of real images to the classes of the head."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr import losses
from seqclr.config import key
from seqclr.losses.common import soft_cross_entropy
from seqclr.methods.registry import register
from seqclr.methods.text.characters import pool_characters
from seqclr.methods.text.taught import TaughtCharacters
from seqclr.nn.replicas import gather


@register(
    "character_clusters",
    paper="Caron et al. 2020, arXiv:2006.09882",
    negatives="prototypes",
    ema_network="teacher",
    needs_whole_batch="codes are assigned over the batch",
)
@dataclass
class CharacterClusters(TaughtCharacters):
    """SwAV (Caron et al. 2020, arXiv:2006.09882) of characters: the prototypes are the classes of the head, which start
    as those of a reader, or are learned from the generated images.

    A character is cut out at the CTC alignment of the teacher's text, however unsure. Its code is the teacher's
    distribution over the characters in the weak view, balanced over the batch so that all are used equally; the student
    predicts it in the strong view. For pools that use all `characters` about equally. Logs also the loss of the
    `assignment`.
    """

    assignment: float = key(1.0, "weight of the cross-entropy with the codes, relative to the CTC loss", least=0)
    epsilon: float = key(0.5, "softness of the codes; 1 keeps the teacher's ratios", least=1e-2)

    def character_losses(self, taught, training):
        count, taken = tf.shape(taught.labels)[0], taught.texts >= 0
        mask = None if taught.mask is None else taught.mask[count:]
        student = pool_characters(taught.logits[count:], taught.logits[count:], taught.texts, mask)
        teacher = pool_characters(taught.teacher_logits, taught.teacher_logits, taught.texts, taught.teacher_mask)
        scores, logits = (gather(tf.boolean_mask(x, taken)[:, :-1]) for x in (teacher, student))  # without the blank
        codes = losses.sinkhorn(tf.nn.log_softmax(scores), self.epsilon)
        assignment = soft_cross_entropy(codes, logits, tf.ones_like(codes[:, 0], tf.bool))  # 0 of no characters
        return {"loss": self.assignment * assignment, "assignment": assignment}
