"""The losses that SimCLR offers: functions of instances `[N, D]`, of which rows i of the two views are a pair."""

from __future__ import annotations

import tensorflow as tf

from seqclr import losses
from seqclr.losses.common import normalize


def align_uniform(z1, z2):
    """Alignment plus uniformity with equal weights (Wang & Isola 2020, arXiv:2005.10242, for its larger data)."""
    return losses.align(z1, z2) + (losses.uniform(z1) + losses.uniform(z2)) / 2


def margin_contrastive(z1, z2):
    """Margin loss of the positive pairs and as many negative ones, each row and one of `far`. Unit rows, margin 1."""
    z1, z2 = normalize(z1), normalize(z2)
    same = tf.concat([tf.ones(tf.shape(z1)[:1]), tf.zeros(tf.shape(z1)[:1])], axis=0)
    return losses.margin_contrastive(tf.tile(z1, [2, 1]), tf.concat([z2, far(z2)], axis=0), same)


def triplet(z1, z2):
    """Triplet loss of each row, its partner and a row of `far`. Unit rows, margin 1."""
    z1, z2 = normalize(z1), normalize(z2)
    return losses.triplet(z1, z2, far(z2))


def far(rows: tf.Tensor) -> tf.Tensor:
    """For each row, the row half a batch away. Rows are ordered by image, so it is of another image."""
    return tf.roll(rows, tf.shape(rows)[0] // 2, axis=0)


# losses that can exclude negatives; losses with a temperature; all losses
SELECTIVE = {"info_nce": losses.info_nce, "nt_xent": losses.nt_xent}
WITH_TEMPERATURE = SELECTIVE | {
    "debiased": losses.debiased,
    "flat_nce": losses.flat_nce,
    "hard_negative": losses.hard_negative,
}
PAIR_LOSSES = WITH_TEMPERATURE | {
    "align_uniform": align_uniform,
    "margin_contrastive": margin_contrastive,
    "n_pair": losses.n_pair,
    "triplet": triplet,
}
