"""What SimCLR can compare pairs by: losses of instances `[N, D]`, row i of one and of the other a pair."""

from __future__ import annotations

import tensorflow as tf

from seqclr import losses
from seqclr.losses.common import normalize


def align_uniform(z1, z2):
    """Wang & Isola 2020, arXiv:2005.10242, both terms of the same weight, as for its larger data."""
    return losses.align(z1, z2) + (losses.uniform(z1) + losses.uniform(z2)) / 2


def margin_contrastive(z1, z2):
    """Pairs, and as many that are none: each row and the partner of that half a batch away. Unit rows, margin 1."""
    z1, z2 = normalize(z1), normalize(z2)
    same = tf.concat([tf.ones(tf.shape(z1)[:1]), tf.zeros(tf.shape(z1)[:1])], axis=0)
    return losses.margin_contrastive(tf.tile(z1, [2, 1]), tf.concat([z2, far(z2)], axis=0), same)


def triplet(z1, z2):
    """Each row, its partner, and the partner of that half a batch away. Unit rows, margin 1."""
    z1, z2 = normalize(z1), normalize(z2)
    return losses.triplet(z1, z2, far(z2))


def far(rows: tf.Tensor) -> tf.Tensor:
    """For each row that half a batch away: rows come image by image, so it is of another image."""
    return tf.roll(rows, tf.shape(rows)[0] // 2, axis=0)


# those that can leave negatives out, those with a temperature, and all
CHOOSY = {"info_nce": losses.info_nce, "nt_xent": losses.nt_xent}
TEMPERED = CHOOSY | {
    "debiased": losses.debiased,
    "flat_nce": losses.flat_nce,
    "hard_negative": losses.hard_negative,
}
PAIR_LOSSES = TEMPERED | {
    "align_uniform": align_uniform,
    "margin_contrastive": margin_contrastive,
    "n_pair": losses.n_pair,
    "triplet": triplet,
}
