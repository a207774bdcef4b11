"""CTC decoding and confidence. All but the beam search uses plain operations that every export format supports."""

from __future__ import annotations

import tensorflow as tf


def greedy(logits: tf.Tensor, valid: tf.Tensor | None = None) -> tf.Tensor:
    """Greedy (best path) decoding: the likeliest class of every frame, repeats and blanks dropped.

    logits: `[B, T, classes]`, the blank last. valid: `bool [B, T]`, frames that are no padding.
    Returns ids `int32 [B, T]`, the blank wherever no character starts.
    """
    blank = logits.shape[-1] - 1
    best = tf.argmax(logits, axis=-1, output_type=tf.int32)
    if valid is not None:
        best = tf.where(valid, best, blank)
    before = tf.pad(best[:, :-1], [[0, 0], [1, 0]], constant_values=blank)
    return tf.where(best != before, best, blank)


def beam_search(logits: tf.Tensor, valid: tf.Tensor | None, width: int) -> tf.Tensor:
    """Beam search of a width; ids as of `greedy`, `[B, at most T]`, packed."""
    blank = logits.shape[-1] - 1
    frames = tf.shape(logits)[1]
    lengths = tf.repeat(frames, tf.shape(logits)[0]) if valid is None else tf.reduce_sum(tf.cast(valid, tf.int32), 1)
    log_probabilities = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    decoded, _ = tf.nn.ctc_beam_search_decoder(
        tf.transpose(log_probabilities, (1, 0, 2)), lengths, beam_width=width, top_paths=1
    )
    return tf.sparse.to_dense(tf.cast(decoded[0], tf.int32), default_value=blank)


def pack(ids: tf.Tensor, blank: int) -> tf.Tensor:
    """Ids `[B, L]` with the blanks moved behind the characters."""
    length = tf.shape(ids)[1]
    order = tf.argsort(tf.range(length) + length * tf.cast(ids == blank, tf.int32))
    return tf.gather(ids, order, batch_dims=1)


def confidence(logits: tf.Tensor, ids: tf.Tensor, valid: tf.Tensor | None = None) -> tf.Tensor:
    """The probability of a text over all its paths, `exp(-ctc_loss)`, `float32 [B]`, 0 to 1; that of no text is 0.

    The forward algorithm of Graves et al. 2006, section 4.1, in plain operations that every export format
    supports. It sums probabilities rather than logarithms: probabilities that underflow contribute less than 1e-38.

    logits: `[B, T, classes]`, T known, the blank last. ids: `int32 [B, L]`, as of `greedy` or `beam_search`.
    valid: `bool [B, T]`, frames that are no padding.
    """
    blank = logits.shape[-1] - 1
    frames = tf.nn.softmax(tf.cast(logits, tf.float32))
    if valid is not None:  # padding is blank with probability 1, which changes no sum
        frames = tf.where(valid[..., None], frames, tf.one_hot(blank, blank + 1))
    ids = pack(ids, blank)
    length = tf.shape(ids)[1]
    # of each frame and prefix of the text, from the empty one on, the probability of the prefix's last character
    characters = tf.where((ids != blank)[:, None], tf.gather(frames, ids, axis=2, batch_dims=1), 0.0)
    characters, blanks = tf.pad(characters, [[0, 0], [0, 0], [1, 0]]), frames[..., blank:]
    # a repeated character needs a blank before it
    goes_on = tf.pad(tf.cast(ids[:, 1:] != ids[:, :-1], tf.float32), [[0, 0], [1, 1]])
    # of each prefix, the paths so far that spell it: those that end in its last character, and in a blank
    in_character = tf.zeros_like(characters[:, 0])
    in_blank = tf.zeros_like(in_character) + tf.one_hot(0, length + 1)
    for character, nothing in zip(tf.unstack(characters, axis=1), tf.unstack(blanks, axis=1)):
        before = tf.roll(in_blank + goes_on * in_character, 1, axis=1)  # what wraps around meets a probability of 0
        in_blank, in_character = (in_blank + in_character) * nothing, (in_character + before) * character
    count = tf.reduce_sum(tf.cast(ids != blank, tf.int32), axis=1)
    whole = tf.one_hot(count, length + 1) * tf.cast(count > 0, tf.float32)[:, None]
    return tf.minimum(tf.reduce_sum((in_blank + in_character) * whole, axis=1), 1.0)


def join(ids: tf.Tensor, characters: str) -> tf.Tensor:
    """Strings `[B]` of ids `[B, T]`, inside the graph; the blank is the id after the last character."""
    return tf.strings.reduce_join(tf.gather(tf.constant([*characters, ""]), ids), axis=-1)
