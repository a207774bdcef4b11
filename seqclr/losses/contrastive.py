"""Contrast against the rest of the batch."""

from __future__ import annotations

import tensorflow as tf


def normalize(x) -> tf.Tensor:
    """Rows of unit length, in float32."""
    return tf.math.l2_normalize(tf.cast(x, tf.float32), axis=-1)


def nt_xent(z1, z2, temperature: float = 0.1, negatives=None) -> tf.Tensor:
    """SimCLR's loss: the mean over all 2N anchors of -log softmax of the partner among the other 2N - 1 rows.

    z1, z2: `[N, D]`, row i of one is the partner of row i of the other; normalised here. Not doubled, as the
    authors' own code does by adding both directions. Chen et al. 2020, arXiv:2002.05709.
    negatives: `bool [N, N]`, which rows may stand against which, in either view; None: all.
    """
    z1, z2 = normalize(z1), normalize(z2)
    count = tf.shape(z1)[0]
    z = tf.concat([z1, z2], axis=0)
    logits = tf.matmul(z, z, transpose_b=True) / temperature
    if negatives is not None:
        allowed = tf.tile(negatives, [2, 2]) | tf.tile(tf.eye(count, dtype=tf.bool), [2, 2])
        logits = tf.where(allowed, logits, logits.dtype.min)
    logits = tf.linalg.set_diag(logits, tf.fill([2 * count], logits.dtype.min))
    partners = tf.concat([tf.range(count) + count, tf.range(count)], axis=0)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=partners, logits=logits))


def info_nce(z1, z2, temperature: float = 0.1, negatives=None) -> tf.Tensor:
    """InfoNCE across the views: each row of one view against all rows of the other, both directions averaged.

    z1, z2: `[N, D]`, normalised here; the negatives of a row are the N - 1 rows of the other view that are not its
    partner, or those of them that `negatives`, `bool [N, N]`, allows. van den Oord et al. 2018, arXiv:1807.03748.
    """
    logits = tf.matmul(normalize(z1), normalize(z2), transpose_b=True) / temperature
    partners = tf.range(tf.shape(logits)[0])
    if negatives is not None:
        allowed = negatives | tf.eye(tf.shape(logits)[0], dtype=tf.bool)
        logits = tf.where(allowed, logits, logits.dtype.min)
    rows = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=partners, logits=logits)
    columns = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=partners, logits=tf.transpose(logits))
    return (tf.reduce_mean(rows) + tf.reduce_mean(columns)) / 2
