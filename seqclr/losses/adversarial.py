"""Losses of discriminators and generators."""

from __future__ import annotations

import tensorflow as tf

from seqclr.losses.common import masked_mean


def least_squares(scores, target: float, valid=None) -> tf.Tensor:
    """The mean of `(score - target)^2` over the patches of an image, then over images (LSGAN).

    scores: `[B, h, w]`. valid: `bool [B, w]`, columns that are no padding; None: all. target: 1 for real images, and
    for generated ones in the generator's loss; 0 for generated ones in the discriminator's. Mao et al. 2017,
    arXiv:1611.04076.
    """
    errors = tf.reduce_mean(tf.square(tf.cast(scores, tf.float32) - target), axis=1)
    return tf.reduce_mean(errors if valid is None else masked_mean(errors, valid, axis=1))
