"""Losses of a student that predicts its teacher's output."""

from __future__ import annotations

import tensorflow as tf

from seqclr.errors import UserError
from seqclr.losses.common import soft_cross_entropy


def dino(
    student, teacher, center, student_temperature: float = 0.1, teacher_temperature: float = 0.04, valid=None
) -> tf.Tensor:
    """DINO's loss: the mean over pairs of different crops of the cross-entropy of the student with the teacher.

    student, teacher: lists of logits `[N, K]`, one per crop; the teacher's crops are the first of the student's. The
    targets are `softmax((logits - center) / teacher_temperature)`; neither teacher nor center, `[K]`, gets a gradient.
    valid: `bool [N]` for each of the student's crops; a pair counts the rows that are valid in both; None: all.
    Caron et al. 2021, arXiv:2104.14294.
    """
    predictions = [tf.cast(crop, tf.float32) / student_temperature for crop in student]
    center = tf.cast(center, tf.float32)
    targets = [tf.nn.softmax((tf.cast(crop, tf.float32) - center) / teacher_temperature) for crop in teacher]
    pairs = [
        soft_cross_entropy(t, s, None if valid is None else valid[i] & valid[j])
        for i, t in enumerate(targets)
        for j, s in enumerate(predictions)
        if i != j
    ]
    if not pairs:
        raise UserError("dino needs at least 2 crops of the student, and got 1")
    return tf.reduce_mean(pairs)
