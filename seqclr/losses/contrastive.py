"""Contrastive losses with the rest of the batch as negatives."""

from __future__ import annotations

import math

import tensorflow as tf

from seqclr.losses.common import diagonal_cross_entropy, masked_mean, normalize, products
from seqclr.losses.rows import Allowed, cross_entropy


def nt_xent(z1, z2, temperature: float = 0.1, negatives: Allowed | None = None) -> tf.Tensor:
    """SimCLR's loss: the mean over all 2N anchors of -log softmax of the partner among the other 2N - 1 rows.

    z1, z2: `[N, D]`, row i of one is the partner of row i of the other; normalised here. The authors'
    code adds both directions, which doubles it. Chen et al. 2020, arXiv:2002.05709.
    negatives: a function of row indices `int32 [n]` to their negatives, in either view, `bool [n, N]`; None: all.
    """
    z = tf.concat([normalize(z1), normalize(z2)], axis=0)
    count = tf.shape(z)[0]
    half = count // 2
    partners = (tf.range(count) + half) % count

    def allowed(rows):
        others = rows[:, None] != tf.range(count)
        return others if negatives is None else others & tf.tile(negatives(rows % half), [1, 2])

    return cross_entropy(z / temperature, z, partners, allowed)


def info_nce(z1, z2, temperature: float = 0.1, negatives: Allowed | None = None) -> tf.Tensor:
    """InfoNCE across the views: each row of one view with all rows of the other, both directions averaged.

    z1, z2: `[N, D]`, normalised here; the negatives of a row are the N - 1 rows of the other view that are not its
    partner, or those of them that `negatives`, as in `nt_xent`, allows. van den Oord et al. 2018, arXiv:1807.03748.
    """
    z1, z2 = normalize(z1), normalize(z2)
    partners = tf.range(tf.shape(z1)[0])
    both = (cross_entropy(a / temperature, b, partners, negatives) for a, b in ((z1, z2), (z2, z1)))
    return tf.add_n(list(both)) / 2


def sup_con(z, labels, temperature: float = 0.07) -> tf.Tensor:
    """SupCon: the mean over rows of the mean over those of the same label of -log softmax among all other rows.

    z: `[N, D]`, normalised here; labels: `int32 [N]`. A row without another of its label is left out. The form with the
    sum outside of the logarithm, not scaled by the temperature. Khosla et al. 2020, arXiv:2004.11362.
    """
    z, labels = normalize(z), tf.convert_to_tensor(labels)
    others = ~tf.eye(tf.shape(z)[0], dtype=tf.bool)
    logits = products(z, z) / temperature
    scores = tf.nn.log_softmax(tf.where(others, logits, logits.dtype.min))
    positives = others & (labels[:, None] == labels)
    return -masked_mean(masked_mean(scores, positives, axis=1), tf.reduce_any(positives, axis=1))


def clip(a, b, logit_scale, labels=None) -> tf.Tensor:
    """CLIP's loss: `info_nce` of two modalities with the learned scale `s = exp(logit_scale)`, at most 100.

    a, b: `[N, D]`, normalised here; logit_scale: a scalar, the logarithm as in the paper, not the exponentiated one
    that open_clip's loss takes. Radford et al. 2021, arXiv:2103.00020.
    labels: `int32 [N]`; all rows of one label are positives of each other, and -log softmax is averaged over them, as
    in UniCL (Yang et al. 2022, arXiv:2204.03610). None: each row is its own.
    """
    scale = tf.exp(tf.minimum(tf.cast(logit_scale, tf.float32), math.log(100)))
    if labels is None:
        return info_nce(a, b, 1 / scale)
    logits, labels = scale * products(normalize(a), normalize(b)), tf.convert_to_tensor(labels)
    same = labels[:, None] == labels
    both = (masked_mean(tf.nn.log_softmax(scores), same, axis=1) for scores in (logits, tf.transpose(logits)))
    return -tf.reduce_mean(tf.add_n(list(both))) / 2


def n_pair(anchors, positives) -> tf.Tensor:
    """N-pair loss: the mean of `log(1 + sum over j != i of exp(a_i p_j - a_i p_i))`.

    anchors, positives: `[N, D]`, not normalised, without the paper's penalty on their norms; some libraries
    normalise them. Sohn 2016, NIPS.
    """
    return diagonal_cross_entropy(products(anchors, positives))


def cpc(context, targets) -> tf.Tensor:
    """CPC's loss: `n_pair` of predictions and their targets, among all B * T positions of the batch.

    context, targets: `[B, T, D]`; context is already mapped to the targets' space; neither is normalised. The mean over
    positions; some implementations sum. van den Oord et al. 2018, arXiv:1807.03748.
    """
    return n_pair(*(tf.reshape(x, [-1, tf.shape(x)[-1]]) for x in (context, targets)))
