"""Variants of `nt_xent` that differ in the weights of negatives.

z1, z2: `[N, D]`, normalised here; each of the 2N rows has its partner and 2N - 2 rows of other images as negatives.
"""

from __future__ import annotations

import tensorflow as tf

from seqclr.losses.common import normalize, products


def both_views(z1, z2) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The 2N rows of both views, normalised; partners' indices; whether two are of different images, `[2N, 2N]`."""
    z = tf.concat([normalize(z1), normalize(z2)], axis=0)
    count = tf.shape(z)[0] // 2
    partners = tf.concat([tf.range(count) + count, tf.range(count)], axis=0)
    return z, partners, ~tf.tile(tf.eye(count, dtype=tf.bool), [2, 2])


def inva_spread(z1, z2, temperature: float = 0.1) -> tf.Tensor:
    """Invariant and spreading features: the mean over anchors of `-log p(partner) - sum over others of log(1 - p)`.

    p: the softmax over the 2N - 1 other rows. As in the official code, only the anchor of a similarity gets a gradient.
    Ye et al. 2019, arXiv:1904.03436.
    """
    z, partners, others = both_views(z1, z2)
    logits = products(z, tf.stop_gradient(z)) / temperature
    log_p = tf.nn.log_softmax(tf.linalg.set_diag(logits, tf.fill(tf.shape(partners), logits.dtype.min)))
    # 1 - p rounds to 0 where one negative has all of the mass
    spread = tf.math.log(tf.maximum(tf.where(others, -tf.math.expm1(log_p), 1.0), 1e-7))
    return -tf.reduce_mean(tf.gather(log_p, partners, batch_dims=1) + tf.reduce_sum(spread, axis=-1))


def debiased(z1, z2, temperature: float = 0.5, tau_plus: float = 0.1) -> tf.Tensor:
    """Debiased contrast: `hard_negative` with beta 0, where all negatives weigh the same.

    Chuang et al. 2020, arXiv:2007.00224.
    """
    return hard_negative(z1, z2, temperature, tau_plus, beta=0.0)


def hard_negative(z1, z2, temperature: float = 0.5, tau_plus: float = 0.1, beta: float = 1.0) -> tf.Tensor:
    """Contrast with hard negatives: the mean over anchors of `-log(pos / (pos + Ng))`; pos and neg are exp(cos / t).

    `Ng = max((sum w neg - M tau_plus pos) / (1 - tau_plus), M exp(-1 / t))`, `w = neg^beta / mean neg^beta`, for M
    negatives, of which the fraction tau_plus has the anchor's own class. The weights get a gradient, as in the official
    code. Robinson et al. 2021, arXiv:2010.04592.
    """
    z, partners, others = both_views(z1, z2)
    logits = products(z, z) / temperature
    positive = tf.exp(tf.gather(logits, partners, batch_dims=1))
    count = tf.cast(tf.shape(z)[0] - 2, tf.float32)
    weights = count * tf.nn.softmax(tf.where(others, beta * logits, logits.dtype.min))
    negative = tf.reduce_sum(weights * tf.exp(logits), axis=-1)
    negative = (negative - count * tau_plus * positive) / (1 - tau_plus)
    return tf.reduce_mean(tf.math.log1p(tf.maximum(negative, count * tf.exp(-1 / temperature)) / positive))


def flat_nce(z1, z2, temperature: float = 0.1) -> tf.Tensor:
    """FlatNCE: the mean over anchors of `exp(v - stop_gradient(v))`: always 1, with the gradient of v.

    `v = logsumexp over the 2N - 2 negatives of (cos_negative - cos_partner) / temperature`.
    Chen et al. 2021, arXiv:2107.01152.
    """
    z, partners, others = both_views(z1, z2)
    logits = products(z, z) / temperature
    logits -= tf.gather(logits, partners, batch_dims=1)[:, None]
    v = tf.reduce_logsumexp(tf.where(others, logits, logits.dtype.min), axis=-1)
    return tf.reduce_mean(tf.exp(v - tf.stop_gradient(v)))
