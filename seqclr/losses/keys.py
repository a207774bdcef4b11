"""Contrastive losses of queries and keys. Keys get no gradient: they come from a key encoder or the input image."""

from __future__ import annotations

import tensorflow as tf

from seqclr.losses.common import diagonal_cross_entropy, normalize, products


def info_nce_queue(query, key, queue, temperature: float = 0.07) -> tf.Tensor:
    """MoCo's loss: the mean of -log softmax of the query's key among itself and the queue of keys of earlier batches.

    query, key: `[N, D]`, queue: `[K, D]`, all normalised here; one direction. MoCo v2 uses temperature 0.2.
    He et al. 2020, arXiv:1911.05722.
    """
    query, key, queue = normalize(query), tf.stop_gradient(normalize(key)), tf.stop_gradient(normalize(queue))
    positive = tf.reduce_sum(query * key, axis=-1, keepdims=True)
    logits = tf.concat([positive, products(query, queue)], axis=1) / temperature
    first = tf.zeros_like(logits[:, 0], dtype=tf.int32)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=first, logits=logits))


def relational(query, key, queue, temperature: float = 0.04) -> tf.Tensor:
    """RCLSTR's consistency: half the sum of both Kullback-Leibler divergences between the relations of a query and of
    its key, the softmax of their cosines with the keys of the queue; the mean over the queries.

    query, key: `[N, D]`, queue: `[K, D]`, all normalised here. The authors' code also divides by K.
    Zhang et al. 2023, arXiv:2308.00508.
    """
    queue = tf.stop_gradient(normalize(queue))
    ours, theirs = (
        tf.nn.log_softmax(products(rows, queue) / temperature)
        for rows in (normalize(query), tf.stop_gradient(normalize(key)))
    )
    return tf.reduce_mean(tf.reduce_sum((tf.exp(ours) - tf.exp(theirs)) * (ours - theirs), axis=-1)) / 2


def moco_v3(q1, k2, q2, k1, temperature: float = 0.2) -> tf.Tensor:
    """MoCo v3's loss: the sum of both directions of `2 * temperature * cross-entropy` of a query's key among all keys.

    `[N, D]` each, normalised here; queries of one view are contrasted with keys of the other, as in `patch_nce`.
    Chen et al. 2021, arXiv:2104.02057.
    """
    return 2 * temperature * (patch_nce(q1, k2, temperature) + patch_nce(q2, k1, temperature))


def nnclr(neighbour1, p2, neighbour2, p1, temperature: float = 0.1) -> tf.Tensor:
    """NNCLR's loss: the cross-entropy of the prediction of the other view, among those of all rows, by a row's nearest
    neighbour; both directions averaged.

    `[N, D]` each, normalised here; row i of all belongs to one instance. Dwibedi et al. 2021, arXiv:2104.14548.
    """
    both = [
        diagonal_cross_entropy(products(tf.stop_gradient(normalize(neighbour)), normalize(p)) / temperature)
        for neighbour, p in ((neighbour1, p2), (neighbour2, p1))
    ]
    return tf.add_n(both) / 2


def curl(query, key, weight) -> tf.Tensor:
    """CURL's loss: the cross-entropy of a query's key among all keys, with bilinear logits `query weight key^T`.

    query, key: `[N, D]`, not normalised, no temperature; weight: `[D, D]`. The official code subtracts the maximum of
    each row; the cross-entropy does that itself. Laskin et al. 2020, arXiv:2004.04136.
    """
    return diagonal_cross_entropy(products(query, products(tf.stop_gradient(key), weight)))


def patch_nce(query, key, temperature: float = 0.07, positions=None) -> tf.Tensor:
    """CUT's loss: the cross-entropy of the key at the query's own position among all positions of the same image.

    query, key: `[B, P, D]`, normalised here; the mean over images and positions. positions: `int32 [B, P]`; rows of an
    equal position are no negatives of each other. None: all differ. Park et al. 2020, arXiv:2007.15651.
    """
    logits = products(normalize(query), tf.stop_gradient(normalize(key))) / temperature
    if positions is not None:
        same = tf.linalg.set_diag(positions[:, :, None] == positions[:, None], tf.zeros_like(positions, tf.bool))
        logits = tf.where(same, logits.dtype.min, logits)
    return diagonal_cross_entropy(logits)
