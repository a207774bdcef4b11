"""Metric learning: losses on distances."""

from __future__ import annotations

import tensorflow as tf

from seqclr.errors import UserError
from seqclr.losses.common import normalize, products


def distance(a, b) -> tf.Tensor:
    """L2 distances of rows, in float32; the root's gradient is finite for equal rows."""
    squares = tf.reduce_sum((tf.cast(a, tf.float32) - tf.cast(b, tf.float32)) ** 2, axis=-1)
    return tf.sqrt(tf.maximum(squares, 1e-16))


def margin_contrastive(a, b, same, margin: float = 1.0) -> tf.Tensor:
    """Margin loss: the mean of `d^2` where `same` is true, else of `relu(margin - d)^2`.

    a, b: `[N, D]`, not normalised; same: `[N]`, bool or 0 and 1. Squared, without the half, averaged over all
    pairs; some libraries are linear and average over nonzero terms. Hadsell et al. 2006, CVPR.
    """
    d = distance(a, b)
    return tf.reduce_mean(tf.where(tf.cast(same, tf.bool), d, tf.nn.relu(margin - d)) ** 2)


def triplet(anchor, positive, negative, margin: float = 1.0) -> tf.Tensor:
    """Triplet loss: the mean of `relu(d(anchor, positive) - d(anchor, negative) + margin)`.

    `[N, D]` each, not normalised; plain L2 distances; FaceNet squares those of unit rows.
    Schroff et al. 2015, arXiv:1503.03832.
    """
    return tf.reduce_mean(tf.nn.relu(distance(anchor, positive) - distance(anchor, negative) + margin))


def align(z1, z2, alpha: float = 2.0) -> tf.Tensor:
    """Alignment: the mean of `|z1 - z2|^alpha`; `[N, D]`, normalised here. Wang & Isola 2020, arXiv:2005.10242."""
    return tf.reduce_mean(distance(normalize(z1), normalize(z2)) ** alpha)


def uniform(z, t: float = 2.0) -> tf.Tensor:
    """Uniformity: the logarithm of the mean over pairs i < j of `exp(-t |z_i - z_j|^2)`, from -4t to 0.

    z: `[N, D]`, normalised here. Wang & Isola 2020, arXiv:2005.10242.
    """
    z = normalize(z)
    if z.shape[0] == 1:
        raise UserError("uniform needs at least 2 rows, and got 1: enlarge the batch")
    logits = 2 * t * (products(z, z) - 1)
    # both halves of the matrix: the mean is the same
    logits = tf.linalg.set_diag(logits, tf.fill(tf.shape(z)[:1], logits.dtype.min))
    count = tf.cast(tf.shape(z)[0], tf.float32)
    return tf.reduce_logsumexp(logits) - tf.math.log(count * (count - 1))
