"""Characters as instances: frames pooled where CTC aligns a text, contrasted between images."""

from __future__ import annotations

import tensorflow as tf

from seqclr import losses
from seqclr.methods.text.ctc import ctc_loss
from seqclr.methods.text.self_training import nonempty
from seqclr.nn.replicas import gather


def align(logits: tf.Tensor, texts: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The probability that each frame shows each character of a text, `float32 [B, L, T]`, over all paths of the text.

    The sum over the frames is the expected number of frames of a character, at least 1. The forward-backward algorithm
    of Graves et al. 2006, section 4.1, except that equal neighbours need no blank between them. Without gradient.

    logits: `[B, T, classes]`, the blank last. texts: ids `int32 [B, L]`, filled with -1 (0 in the result), each of at
    least one character and no more than its image has frames. mask: `[B, T]`, the frames that are no padding.
    """
    logits = tf.cast(logits, tf.float32)
    scores = tf.concat([tf.gather(logits, tf.maximum(texts, 0), axis=2, batch_dims=1), logits[..., -1:]], axis=-1)
    positions = tf.where(texts >= 0, tf.range(tf.shape(texts)[1]), -1)  # every character is a class of its own
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = ctc_loss(positions, scores, mask)
    shares = tf.nn.softmax(scores) - tape.gradient(loss, scores)  # the gradient of CTC is softmax minus posterior
    shares = tf.transpose(tf.maximum(shares[..., :-1], 0.0), (0, 2, 1))
    shown = texts[:, :, None] >= 0
    return tf.stop_gradient(tf.where(shown if mask is None else shown & mask[:, None], shares, 0.0))


def pool_characters(rows: tf.Tensor, logits: tf.Tensor, texts: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The mean row of each character of a text, `float32 [B, L, D]`, weighted by `align`.

    rows: `[B, T, D]`, of the frames. The other arguments are those of `align`, but texts may be empty.
    """
    weights = align(logits, nonempty(texts), mask)
    weights = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=2, keepdims=True))
    return tf.einsum("blt,btd->bld", weights, tf.cast(rows, tf.float32))


def character_contrast(
    rows: tf.Tensor,
    logits: tf.Tensor,
    texts: tf.Tensor,
    used: tf.Tensor,
    mask: tf.Tensor | None = None,
    temperature: float = 0.1,
) -> tf.Tensor:
    """Supervised contrast (SupCon, Khosla et al. 2020, arXiv:2004.11362) of the characters of all images and replicas.

    Equal characters are positives. rows: projections of the frames, `[B, T, D]`. used: `bool [B]`, the images whose
    text is taken. The other arguments are those of `pool_characters`.
    """
    pooled = pool_characters(rows, logits, texts, mask)
    taken = (texts >= 0) & used[:, None]
    characters, labels = (gather(tf.boolean_mask(x, taken)) for x in (pooled, texts))
    return losses.sup_con(characters, labels, temperature)


def alike(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Ids `[B, L]` of two lengths, filled with -1 to the longer one."""
    longest = tf.maximum(tf.shape(a)[1], tf.shape(b)[1])
    return tuple(tf.pad(x, [[0, 0], [0, longest - tf.shape(x)[1]]], constant_values=-1) for x in (a, b))
