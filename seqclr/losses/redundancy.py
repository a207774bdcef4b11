"""Losses of invariance between views and of redundancy between dimensions."""

from __future__ import annotations

from itertools import combinations

import tensorflow as tf

from seqclr.errors import UserError
from seqclr.losses.common import normalize


def centered(z) -> tf.Tensor:
    """Rows minus their mean, in float32; `[..., N, D]`."""
    z = tf.cast(z, tf.float32)
    return z - tf.reduce_mean(z, axis=-2, keepdims=True)


def covariance(z) -> tf.Tensor:
    """The unbiased covariance of centered rows; `[..., N, D]` give `[..., D, D]`."""
    return tf.matmul(z, z, transpose_a=True) / (tf.cast(tf.shape(z)[-2], tf.float32) - 1)


def whiten(z) -> tf.Tensor:
    """Rows centered and multiplied by the inverse Cholesky factor of their covariance; `[..., N, D]`."""
    z = centered(z)
    factor = tf.linalg.cholesky(covariance(z))
    return tf.linalg.matrix_transpose(tf.linalg.triangular_solve(factor, tf.linalg.matrix_transpose(z)))


def off_diagonal(matrix) -> tf.Tensor:
    """The sum of the squared off-diagonal elements."""
    return tf.reduce_sum(tf.square(tf.linalg.set_diag(matrix, tf.zeros_like(tf.linalg.diag_part(matrix)))))


def barlow_twins(z1, z2, lambd: float = 5e-3) -> tf.Tensor:
    """Barlow Twins: `sum (1 - c_ii)^2 + lambd * sum over i != j of c_ij^2` of the views' cross-correlation c.

    z1, z2: `[N, D]`, standardised over the batch as batch norm does: biased variance, 1e-5 inside the root. No factor
    scales the sum, as in the official code. Zbontar et al. 2021, arXiv:2103.03230.
    """
    z1, z2 = (z / tf.sqrt(tf.reduce_mean(z**2, axis=0) + 1e-5) for z in (centered(z1), centered(z2)))
    correlation = tf.matmul(z1, z2, transpose_a=True) / tf.cast(tf.shape(z1)[0], tf.float32)
    return tf.reduce_sum((1 - tf.linalg.diag_part(correlation)) ** 2) + lambd * off_diagonal(correlation)


def vicreg(
    z1, z2, sim: float = 25.0, std: float = 25.0, cov: float = 1.0, eps: float = 1e-4, variant: str = "official"
) -> tf.Tensor:
    """VICReg: `sim * mse + std * variance + cov * covariance`, not normalised.

    z1, z2: `[N, D]`; mse: mean over rows and dimensions; variance: `mean relu(1 - sqrt(var + eps))` of the two
    views, averaged as in the official code or, variant "paper", added; covariance: the sum of squared off-diagonal
    elements over D, added. Variance and covariance are unbiased. Bardes et al. 2022, arXiv:2105.04906.
    """
    if variant not in ("official", "paper"):
        raise UserError(f"variant '{variant}' of vicreg is not known: official, paper")
    z1, z2 = tf.cast(z1, tf.float32), tf.cast(z2, tf.float32)
    if z1.shape[0] == 1:
        raise UserError("vicreg needs at least 2 rows for their variance, and got 1: enlarge the batch")
    covariances = [covariance(centered(z)) for z in (z1, z2)]
    hinges = [tf.reduce_mean(tf.nn.relu(1 - tf.sqrt(tf.linalg.diag_part(c) + eps))) for c in covariances]
    variance = sum(hinges) / (2 if variant == "official" else 1)
    redundancy = sum(map(off_diagonal, covariances)) / z1.shape[1]
    return sim * tf.reduce_mean((z1 - z2) ** 2) + std * variance + cov * redundancy


def w_mse(z_views, whitening_size: int) -> tf.Tensor:
    """W-MSE: `2 - 2 cos` of whitened rows, the mean over all pairs of views; gradients flow everywhere.

    z_views: `[V, N, D]`. Every view is whitened in consecutive slices of whitening_size rows; the remaining rows are
    left out. The official code shuffles rows before, with one permutation for all views.
    Ermolov et al. 2021, arXiv:2007.06346.
    """
    z = tf.cast(z_views, tf.float32)
    views, count, dim = z.shape
    if views < 2:
        raise UserError("w_mse needs at least 2 views, and got 1")
    if whitening_size < 2 * dim:
        raise UserError(f"whitening_size {whitening_size} is too few rows for {dim} dimensions: at least {2 * dim}")
    if count is not None and count < whitening_size:
        raise UserError(f"whitening_size {whitening_size} is more than the batch of {count}: enlarge the batch")
    slices = tf.shape(z)[1] // whitening_size
    z = tf.reshape(z[:, : slices * whitening_size], [views, slices, whitening_size, dim])
    pairs = combinations(tf.unstack(normalize(whiten(z))), 2)
    return 2 - 2 * tf.reduce_mean([tf.reduce_sum(a * b, axis=-1) for a, b in pairs])
