"""A student that says what its teacher says of another crop."""

from __future__ import annotations

import tensorflow as tf

from seqclr.errors import UserError
from seqclr.losses.common import follow


def dino(
    student, teacher, center, student_temperature: float = 0.1, teacher_temperature: float = 0.04, shown=None
) -> tf.Tensor:
    """DINO's loss: the mean over pairs of different crops of the cross-entropy of student against teacher.

    student, teacher: lists of logits `[N, K]`, one a crop; the teacher's crops are the first of the student's. The
    teacher says `softmax((logits - center) / teacher_temperature)` and gets no gradient, nor does center, `[K]`.
    shown: of each of the student's crops `bool [N]`, its rows that count, in pairs where both do; None: all.
    Caron et al. 2021, arXiv:2104.14294.
    """
    said = [tf.cast(crop, tf.float32) / student_temperature for crop in student]
    center = tf.cast(center, tf.float32)
    wanted = [tf.nn.softmax((tf.cast(crop, tf.float32) - center) / teacher_temperature) for crop in teacher]
    pairs = [
        follow(t, s, None if shown is None else shown[i] & shown[j])
        for i, t in enumerate(wanted)
        for j, s in enumerate(said)
        if i != j
    ]
    if not pairs:
        raise UserError("dino compares different crops and got one: give the student at least 2")
    return tf.reduce_mean(pairs)
