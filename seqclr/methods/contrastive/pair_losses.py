"""The losses that SimCLR offers: functions of instances `[N, D]`, of which rows i of the two views are a pair."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr import losses
from seqclr.config import key
from seqclr.errors import UserError
from seqclr.losses.common import normalize
from seqclr.methods.base import Instances, TwoViewMethod


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


@dataclass
class PairLossMethod(TwoViewMethod):
    """Two views of every image, whose instances are compared by a loss of pairs.

    The noise-contrastive loss of a memory bank is not offered: its normaliser is estimated on the first batch and kept.
    """

    loss_name: str = key(
        "info_nce",
        "loss of pairs: info_nce (the article's, negatives from the other view), nt_xent (SimCLR's, from both views), "
        "debiased, hard_negative, flat_nce, align_uniform, margin_contrastive, triplet or n_pair",
        choices=tuple(sorted(PAIR_LOSSES)),
    )
    temperature: float | None = key(
        None, "temperature of the softmax; by default 0.1, for debiased and hard_negative 0.5", least=1e-3
    )
    negatives: str = key(
        "all",
        "which instances are negatives: all, images (those of other images) or position (those at the same position "
        "in other images)",
        choices=("all", "images", "position"),
    )

    def __post_init__(self):
        super().__post_init__()
        if self.negatives != "all" and self.loss_name not in SELECTIVE:
            raise UserError(
                f"negatives '{self.negatives}': {self.loss_name} takes all, {' and '.join(SELECTIVE)} can choose"
            )
        if self.temperature is not None and self.loss_name not in WITH_TEMPERATURE:
            raise UserError(f"temperature {self.temperature}: {self.loss_name} has none, so leave it out")

    def compare(self, pairs: Instances) -> tf.Tensor:
        """The loss of instances, with the negatives that the key `negatives` allows."""

        def allowed(rows):
            image, position = (tf.gather(of, rows)[:, None] for of in (pairs.image, pairs.position))
            others = image != pairs.image
            return others & (position == pairs.position) if self.negatives == "position" else others

        chosen = {} if self.negatives == "all" else {"negatives": allowed}
        if self.temperature is not None:
            chosen["temperature"] = self.temperature
        return PAIR_LOSSES[self.loss_name](pairs.first, pairs.second, **chosen)
