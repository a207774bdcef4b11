"""The loss of texts that are known to be wrong."""

from __future__ import annotations

import tensorflow as tf

from seqclr.methods.text.ctc import ctc_loss
from seqclr.methods.text.self_training import nonempty

LEAST = 1e-5  # of minus the log probability: below, 1 - p is lost in rounding


def unlikelihood_loss(texts: tf.Tensor, logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """`float32 [B]`: -log(1 - p), where p is the CTC probability of a text that the image does not have.

    It is the unlikelihood of Welleck et al. 2020, arXiv:1908.04319, of a whole text.

    texts: `int32 [B, L]`, filled with -1; an empty text has no loss. logits, mask: as of `ctc_loss`.
    """
    given = texts[:, 0] >= 0
    surprise = tf.where(given, ctc_loss(nonempty(texts), logits, mask), 1.0)
    surprise += tf.stop_gradient(tf.maximum(surprise, LEAST) - surprise)  # with a gradient below too
    return tf.where(given, -tf.math.log(-tf.math.expm1(-surprise)), 0.0)
