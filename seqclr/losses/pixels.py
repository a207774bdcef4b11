"""Losses on frames of two crops that show the same position of the image.

`[B, T, D]` each, normalised here; positives: `bool [B, T, T]`, whether a frame of the first view (rows) shows the same
position as one of the second (columns). A frame without a positive is left out; an image without any has the loss 0,
as in the official code. Xie et al. 2021, arXiv:2011.10043.
"""

from __future__ import annotations

import tensorflow as tf

from seqclr.losses.common import masked_mean, normalize, products


def pix_pro(y1, z2, y2, z1, positives) -> tf.Tensor:
    """PixPro: `-2 * mean cosine` of an image's positives, the mean over images, both directions added; at least -4.

    y1, y2: propagated frames; z1, z2: the target network's frames, which get no gradient.
    """

    def agreement(y, z, positives):
        cosines = products(normalize(y), tf.stop_gradient(normalize(z)))
        return tf.reduce_mean(masked_mean(cosines, positives, axis=(1, 2)))

    return -2 * (agreement(y1, z2, positives) + agreement(y2, z1, tf.linalg.matrix_transpose(positives)))


def pix_contrast(z1, z2, positives, temperature: float = 0.3, valid=None) -> tf.Tensor:
    """PixContrast: -log of the softmax mass of a frame's positives among the frames of the image's other view.

    The mean over the frames that have positives, over images and over both directions; the paper does not specify it.
    valid: `bool [B, T, T]`, the pairs of frames without padding; None: all.
    """

    def contrast(logits, positives):
        masked = tf.where(positives, tf.nn.log_softmax(logits), logits.dtype.min)
        mass = tf.reduce_logsumexp(masked, axis=-1)
        return -tf.reduce_mean(masked_mean(mass, tf.reduce_any(positives, axis=-1), axis=-1))

    logits = products(normalize(z1), normalize(z2)) / temperature
    if valid is not None:
        logits = tf.where(valid, logits, logits.dtype.min)
    swapped = tf.linalg.matrix_transpose(logits), tf.linalg.matrix_transpose(positives)
    return (contrast(logits, positives) + contrast(*swapped)) / 2
