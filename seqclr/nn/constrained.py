"""CTC decoding where the length of the text is known: the best path among those that spell so many characters.

Plain operations, for every export format. The states of a path after a frame are the count of characters so far with
the last of them, `[B, K + 1, C]`, or with a blank behind it, `[B, K + 1]`.
"""

from __future__ import annotations

from collections.abc import Collection

import tensorflow as tf

NEVER = -1e9  # the logarithm of no probability: finite, so that differences of two of them are numbers


def mask_classes(logits: tf.Tensor, allowed: Collection[int]) -> tf.Tensor:
    """Logits `[B, T, classes]` with all classes but the allowed ones and the blank, the last, ruled out."""
    blank = logits.shape[-1] - 1
    keep = [i == blank or i in allowed for i in range(blank + 1)]
    return tf.where(keep, logits, tf.constant(NEVER, logits.dtype))


def best_path(logits: tf.Tensor, lengths: Collection[int], valid: tf.Tensor | None = None) -> tf.Tensor:
    """The text of the likeliest path among those whose text has one of some lengths: ids `int32 [B, max(lengths)]`.

    Viterbi's algorithm on the states above. An image of too few frames for any of the lengths gives no text. After the
    last character come blanks.

    logits: `[B, T, classes]`, T known, the blank last. lengths: each at least 1. valid: `bool [B, T]`, frames that show
    image.
    """
    blanks, characters = _log_probabilities(logits, valid)
    most, classes = max(lengths), characters.shape[-1]
    in_character, in_blank = _start(characters, most)
    steps = []
    for blank, character in zip(tf.unstack(blanks, axis=1), tf.unstack(characters, axis=1)):
        # a new character comes after a blank, or after another character: the best one, or for that one itself the next
        top, who = tf.math.top_k(in_character, 2 if classes > 1 else 1)
        second = top[..., 1] if classes > 1 else tf.fill(tf.shape(in_blank), NEVER)
        same = tf.one_hot(who[..., 0], classes, on_value=True, off_value=False)
        other = tf.where(same, second[..., None], top[..., :1])
        from_blank = in_blank[..., None] >= other
        new = _after_one_more(tf.where(from_blank, in_blank[..., None], other))
        stays = in_character >= new
        leaves = top[..., 0] > in_blank
        steps.append((stays, _after_one_more(from_blank, fill=True), who, leaves))
        in_blank = tf.maximum(in_blank, top[..., 0]) + blank[:, None]
        in_character = tf.where(stays, in_character, new) + character[:, None]
    return _trace(in_character, in_blank, steps, sorted(set(lengths)), classes)


def log_mass(logits: tf.Tensor, lengths: Collection[int], valid: tf.Tensor | None = None) -> tf.Tensor:
    """The logarithm of the probability that the text has one of some lengths, over all texts and paths, `float32 [B]`.

    The forward algorithm of Graves et al. 2006 summed over all texts. Arguments as of `best_path`.
    """
    blanks, characters = _log_probabilities(logits, valid)
    in_character, in_blank = _start(characters, max(lengths))
    for blank, character in zip(tf.unstack(blanks, axis=1), tf.unstack(characters, axis=1)):
        ended = tf.reduce_logsumexp(tf.concat([in_character, in_blank[..., None]], axis=-1), axis=-1)
        new = _after_one_more(_of_others(in_character, in_blank))
        in_blank = ended + blank[:, None]
        in_character = tf.reduce_logsumexp(tf.stack([in_character, new]), axis=0) + character[:, None]
    ends = tf.reduce_logsumexp(tf.stack([in_blank, tf.reduce_logsumexp(in_character, axis=-1)]), axis=0)
    return tf.maximum(tf.reduce_logsumexp(tf.gather(ends, sorted(set(lengths)), axis=1), axis=1), NEVER)


def _log_probabilities(logits: tf.Tensor, valid: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Of the blank `[B, T]` and of the characters `[B, T, C]`; a frame without image is blank for certain."""
    frames = tf.maximum(tf.nn.log_softmax(tf.cast(logits, tf.float32)), NEVER)
    if valid is not None:
        certain = tf.one_hot(frames.shape[-1] - 1, frames.shape[-1], on_value=0.0, off_value=NEVER)
        frames = tf.where(valid[..., None], frames, certain)
    return frames[..., -1], frames[..., :-1]


def _of_others(in_character: tf.Tensor, in_blank: tf.Tensor) -> tf.Tensor:
    """Of every character, the logarithm of the sum over the blank and the other characters, `[B, K + 1, C]`."""
    largest = tf.maximum(tf.reduce_max(in_character, axis=-1), in_blank)[..., None]
    parts = tf.exp(in_character - largest)
    before, behind = (tf.cumsum(parts, axis=-1, exclusive=True, reverse=way) for way in (False, True))
    sums = before + behind + tf.exp(in_blank[..., None] - largest)
    return tf.where(sums > 0, tf.math.log(sums) + largest, NEVER)


def _start(characters: tf.Tensor, most: int) -> tuple[tf.Tensor, tf.Tensor]:
    batch, classes = tf.shape(characters)[0], characters.shape[-1]
    in_character = tf.fill((batch, most + 1, classes), NEVER)
    return in_character, tf.zeros((batch, 1)) + tf.one_hot(0, most + 1, on_value=0.0, off_value=NEVER)


def _after_one_more(states: tf.Tensor, fill=NEVER) -> tf.Tensor:
    """States `[B, K + 1, C]` moved to one character more."""
    return tf.pad(states[:, :-1], [[0, 0], [1, 0], [0, 0]], constant_values=fill)


def _trace(in_character, in_blank, steps, lengths: list[int], classes: int) -> tf.Tensor:
    """Follows the best path back from its end."""
    batch, most = tf.shape(in_blank)[0], lengths[-1]
    best = tf.reduce_max(in_character, axis=-1)
    ends = tf.gather(tf.maximum(best, in_blank), lengths, axis=1)
    count = tf.gather(lengths, tf.argmax(ends, axis=1, output_type=tf.int32))
    last = tf.gather(tf.argmax(in_character, axis=-1, output_type=tf.int32), count, axis=1, batch_dims=1)
    blank = tf.gather(in_blank >= best, count, axis=1, batch_dims=1)
    possible = tf.reduce_max(ends, axis=1) > NEVER / 2
    ids = tf.fill((batch, most), classes)
    for stays, from_blank, who, leaves in reversed(steps):
        top = tf.gather(who, count, axis=1, batch_dims=1)[:, 0]
        # in a blank: it was one before, or the best character was left
        left = tf.gather(leaves, count, axis=1, batch_dims=1)
        stayed = _of(stays, count, last)
        after_blank = _of(from_blank, count, last)
        before = tf.gather(who, tf.maximum(count - 1, 0), axis=1, batch_dims=1)
        previous = tf.where((before[:, 0] == last) & (before.shape[1] > 1), before[:, -1], before[:, 0])
        starts = ~blank & ~stayed
        written = tf.one_hot(count - 1, most, on_value=True, off_value=False) & starts[:, None]
        ids = tf.where(written, last[:, None], ids)
        last, blank = (
            tf.where(blank, tf.where(left, top, last), tf.where(starts & ~after_blank, previous, last)),
            tf.where(blank, ~left, starts & after_blank),
        )
        count = tf.where(starts, count - 1, count)
    return tf.where(possible[:, None], ids, classes)


def _of(states: tf.Tensor, count: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """The entry `[B]` of states `[B, K + 1, C]` at a count and a character each."""
    return tf.gather(tf.gather(states, count, axis=1, batch_dims=1), last, axis=1, batch_dims=1)
