"""Losses of masked autoencoders."""

from __future__ import annotations

import tensorflow as tf

from seqclr.losses.common import masked_mean


def masked_reconstruction(target, prediction, mask, normalize: bool = False) -> tf.Tensor:
    """MAE's loss: the mean squared error of the pixels of masked patches.

    target, prediction: `[B, L, P]`; mask: `[B, L]`, true or 1 for masked patches. The target gets no
    gradient. normalize: standardise each target patch by its mean and unbiased variance, 1e-6 inside the root.
    He et al. 2022, arXiv:2111.06377.
    """
    target, prediction = tf.stop_gradient(tf.cast(target, tf.float32)), tf.cast(prediction, tf.float32)
    if normalize:
        target -= tf.reduce_mean(target, axis=-1, keepdims=True)
        variance = tf.reduce_sum(target**2, axis=-1, keepdims=True) / (target.shape[-1] - 1)
        target /= tf.sqrt(variance + 1e-6)
    return masked_mean(tf.reduce_mean((prediction - target) ** 2, axis=-1), mask)
