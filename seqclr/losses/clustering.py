"""Losses on assignments to prototypes."""

from __future__ import annotations

import tensorflow as tf

from seqclr.losses.common import soft_cross_entropy


def sinkhorn(scores, epsilon: float = 0.05, iterations: int = 3) -> tf.Tensor:
    """Soft codes that use all K prototypes equally: `exp(scores / epsilon)`, columns and rows normalised in turn.

    scores and codes: `[N, K]`. Rows are normalised last and sum to 1; columns sum to N / K in the limit. Computed in
    the log domain, which avoids overflow. Cuturi 2013, arXiv:1306.0895; as in Caron et al. 2020, arXiv:2006.09882.
    """
    log_codes = tf.cast(scores, tf.float32) / epsilon
    for _ in range(iterations):
        log_codes = tf.nn.log_softmax(tf.nn.log_softmax(log_codes, axis=0), axis=1)
    return tf.exp(log_codes)


def swav(scores1, scores2, temperature: float = 0.1, epsilon: float = 0.05, iterations: int = 3) -> tf.Tensor:
    """SwAV's loss: the cross-entropy of each view's prediction against the other's codes, both directions averaged.

    scores1, scores2: `[N, K]`, cosines with the prototypes. No gradient flows into the codes.
    Caron et al. 2020, arXiv:2006.09882.
    """
    scores = tf.cast(scores1, tf.float32), tf.cast(scores2, tf.float32)
    codes = [sinkhorn(s, epsilon, iterations) for s in scores]
    first, second = (soft_cross_entropy(codes[i], scores[1 - i] / temperature) for i in (0, 1))
    return (first + second) / 2
