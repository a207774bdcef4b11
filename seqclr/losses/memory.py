"""Noise-contrastive estimation with a memory bank."""

from __future__ import annotations

import tensorflow as tf


def nce(positive, negatives, num_samples: int, num_data: int, z) -> tf.Tensor:
    """Noise-contrastive estimation: the mean of `-log(P / (P + m/n)) - sum over negatives of log((m/n) / (P + m/n))`.

    positive: `[N]` or `[N, 1]`, negatives: `[N, m]`: un-normalised scores `exp(v memory / temperature)`, already
    exponentiated; `P = score / z`, where z is the constant that the first batch sets. m: num_samples, of uniform noise;
    n: num_data. 1e-7 is added to the denominators, as in the official code of both. Wu et al. 2018 (InstDisc),
    arXiv:1805.01978; Tian et al. 2020 (CMC), arXiv:1906.05849.
    """
    positive, negatives = (tf.cast(scores, tf.float32) / tf.cast(z, tf.float32) for scores in (positive, negatives))
    noise = num_samples / num_data
    positive_terms = tf.math.log(positive / (positive + noise + 1e-7))
    negative_terms = tf.math.log(noise / (negatives + noise + 1e-7))
    return -(tf.reduce_sum(positive_terms) + tf.reduce_sum(negative_terms)) / tf.cast(tf.size(positive), tf.float32)
