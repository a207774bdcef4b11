"""Consistency of the frames of two views."""

from __future__ import annotations

import tensorflow as tf

from seqclr.losses.common import masked_mean
from seqclr.nn import frames

LEAST = 1e-6  # a probability, before its logarithm


def frame_consistency(
    teacher: tf.Tensor, student: tf.Tensor, geometry: tf.Tensor, mask: tf.Tensor | None = None
) -> tf.Tensor:
    """The mean cross-entropy of the student's class probabilities with the teacher's, at the frames of the image.

    Frames of a view are averaged over the strip of the image that they show (nn/frames.py); those that are visible in
    both views count. No gradient flows into the teacher.

    teacher, student: logits `[B, T, classes]`, of the first and the second view. geometry: `float32 [B, 2, 4]`, as of
    `TwoViews`. mask: `[B, T]`, the frames that are no padding.
    """
    (target, shown), (predicted, also) = (
        frames.pool(tf.nn.softmax(tf.cast(logits, tf.float32)), "none", mask, geometry[:, view])
        for view, logits in enumerate((teacher, student))
    )
    errors = -tf.reduce_sum(tf.stop_gradient(target) * tf.math.log(predicted + LEAST), axis=-1)
    return masked_mean(errors, shown & also)
