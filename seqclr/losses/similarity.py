"""Losses without negatives: similarity of positives."""

from __future__ import annotations

import tensorflow as tf

from seqclr.losses.common import normalize


def negative_cosine(p, z) -> tf.Tensor:
    """SimSiam's loss in one direction: minus the mean cosine of predictions and projections, from -1 to 1.

    p, z: `[N, D]`. No gradient flows into z: without that stop the features collapse.
    Chen & He 2021, arXiv:2011.10566.
    """
    return -tf.reduce_mean(tf.reduce_sum(normalize(p) * tf.stop_gradient(normalize(z)), axis=-1))


def byol(p, z) -> tf.Tensor:
    """BYOL's loss in one direction: `2 - 2 cos`, the squared distance of unit rows, from 0 to 4.

    p, z: `[N, D]`. No gradient flows into z. The paper adds both directions. Grill et al. 2020, arXiv:2006.07733.
    """
    return 2 + 2 * negative_cosine(p, z)
