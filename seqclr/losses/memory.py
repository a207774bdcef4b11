"""Instances told from noise that a memory bank gives."""

from __future__ import annotations

import tensorflow as tf


def nce(positive, negatives, num_samples: int, num_data: int, z) -> tf.Tensor:
    """Noise-contrastive estimation: the mean of `-log(P / (P + m/n)) - sum over negatives of log((m/n) / (P + m/n))`.

    positive: `[N]` or `[N, 1]`, negatives: `[N, m]`: un-normalised scores `exp(v memory / temperature)`, already
    exponentiated; `P = score / z`, z being the constant that the first batch sets. m: num_samples, of uniform noise; n:
    num_data. 1e-7 is added to the denominators, as in the official code of both. Wu et al. 2018 (InstDisc),
    arXiv:1805.01978; Tian et al. 2020 (CMC), arXiv:1906.05849.
    """
    positive, negatives = (tf.cast(scores, tf.float32) / tf.cast(z, tf.float32) for scores in (positive, negatives))
    noise = num_samples / num_data
    found = tf.math.log(positive / (positive + noise + 1e-7))
    refused = tf.math.log(noise / (negatives + noise + 1e-7))
    return -(tf.reduce_sum(found) + tf.reduce_sum(refused)) / tf.cast(tf.size(positive), tf.float32)
