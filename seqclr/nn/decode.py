"""CTC logits to text. Greedy decoding uses plain operations only, so that every export format takes it."""

from __future__ import annotations

import tensorflow as tf


def greedy(logits: tf.Tensor, valid: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """The best path: the likeliest class of every frame, repeats and blanks dropped.

    logits: `[B, T, classes]`, the blank last. valid: `bool [B, T]`, frames that show image.
    Returns ids `int32 [B, T]`, the blank wherever no character starts, and the path's probability `float32 [B]`.
    """
    blank = logits.shape[-1] - 1
    log_probabilities = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    best = tf.argmax(log_probabilities, axis=-1, output_type=tf.int32)
    score = tf.reduce_max(log_probabilities, axis=-1)
    if valid is not None:
        best, score = tf.where(valid, best, blank), tf.where(valid, score, 0.0)
    before = tf.pad(best[:, :-1], [[0, 0], [1, 0]], constant_values=blank)
    return tf.where(best != before, best, blank), tf.exp(tf.reduce_sum(score, axis=-1))


def beam_search(logits: tf.Tensor, valid: tf.Tensor | None, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The likeliest of `width` prefixes over all their paths; returns as `greedy` does (ids packed to the left)."""
    blank = logits.shape[-1] - 1
    frames = tf.shape(logits)[1]
    lengths = tf.repeat(frames, tf.shape(logits)[0]) if valid is None else tf.reduce_sum(tf.cast(valid, tf.int32), 1)
    log_probabilities = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    decoded, scores = tf.nn.ctc_beam_search_decoder(
        tf.transpose(log_probabilities, (1, 0, 2)), lengths, beam_width=width, top_paths=1
    )
    return tf.sparse.to_dense(tf.cast(decoded[0], tf.int32), default_value=blank), tf.exp(scores[:, 0])


def join(ids: tf.Tensor, characters: str) -> tf.Tensor:
    """Strings `[B]` of ids `[B, T]`, inside the graph; the blank is the id after the last character."""
    return tf.strings.reduce_join(tf.gather(tf.constant([*characters, ""]), ids), axis=-1)
