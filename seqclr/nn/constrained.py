"""CTC decoding where the characters or the length of the text are known: the best path of the possible texts.

Plain operations but for the beam search, for every export format. The states of a path after a frame are the count of
characters so far with the last of them, `[B, K + 1, C]`, or with a blank behind it, `[B, K + 1]`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import tensorflow as tf

from seqclr.data.knowledge import Possible
from seqclr.nn import decode

TINY = 1e-37  # a probability of no text
NEVER = -1e9  # the logarithm of no probability: finite, so that differences of two of them are numbers


def predict(
    logits: tf.Tensor, valid: tf.Tensor | None, possible: Possible, beam: int = 1
) -> tuple[tf.Tensor, tf.Tensor]:
    """The predicted texts, ids `int32 [B, L]` as of `decode.greedy`, and their confidence `float32 [B]`, 0 to 1.

    The confidence is the probability of the text over all its paths among the possible texts; of no text it is 0.
    Where lengths are known, the text is that of the best path, and of a beam search the likeliest of its texts of these
    lengths and of the best path's. Otherwise decoding is greedy, or by beam search.
    """
    if possible.classes is not None:
        logits = mask_classes(logits, possible.classes)
    lengths = None if possible.lengths is None else sorted(set(possible.lengths))
    if lengths is None:
        ids = decode.greedy(logits, valid) if beam == 1 else decode.beam_search(logits, valid, beam)
        return ids, decode.confidence(logits, ids, valid)
    if beam > 1:
        return _among(logits, lengths, valid, beam)
    # where the text of the best path of all has one of the lengths, it is that of the best possible path
    greedy, blank = decode.greedy(logits, valid), logits.shape[-1] - 1
    count = tf.reduce_sum(tf.cast(greedy < blank, tf.int32), axis=1, keepdims=True)
    share = decode.confidence(logits, greedy, valid) / tf.maximum(mass(logits, lengths, valid), TINY)
    found = decode.pack(greedy, blank)[:, : lengths[-1]], tf.minimum(share, 1.0)
    possible = tf.reduce_all(tf.reduce_any(count == lengths, axis=1))
    return tf.cond(possible, lambda: found, lambda: _among(logits, lengths, valid))


def _among(
    logits: tf.Tensor, lengths: list[int], valid: tf.Tensor | None, beam: int = 1
) -> tuple[tf.Tensor, tf.Tensor]:
    """The text of the best path of some lengths, or the likeliest of it and those of a beam, and its confidence."""
    texts = best_path(logits, lengths, valid)[:, None]
    if beam > 1:
        texts = tf.concat([texts, _beam(logits, valid, lengths, beam)], axis=1)
    certainty = log_probability(logits, texts, valid)
    ids = tf.gather(texts, tf.argmax(certainty, axis=1), axis=1, batch_dims=1)
    share = tf.exp(tf.reduce_max(certainty, axis=1) - log_mass(logits, lengths, valid))
    return ids, tf.where(ids[:, 0] < logits.shape[-1] - 1, tf.minimum(share, 1.0), 0.0)


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
    blanks, characters = _split(logits, valid)
    most, classes = max(lengths), characters.shape[-1]
    in_character, in_blank = _start(characters, most)

    def step(frame, in_character, in_blank, *decisions):
        # a new character comes after a blank, or after another character: the best one, or for that one itself the next
        top, who = tf.math.top_k(in_character, 2 if classes > 1 else 1)
        second = top[..., 1] if classes > 1 else tf.fill(tf.shape(in_blank), NEVER)
        same = who[..., :1] == tf.range(classes)  # ONNX has no one_hot of booleans
        other = tf.where(same, second[..., None], top[..., :1])
        from_blank = in_blank[..., None] >= other
        new = _after_one_more(tf.where(from_blank, in_blank[..., None], other))
        stays = in_character >= new
        leaves = top[..., 0] > in_blank
        made = stays, from_blank, who, leaves
        decisions = [array.write(frame, decision) for array, decision in zip(decisions, made)]
        in_blank = tf.maximum(in_blank, top[..., 0]) + blanks[frame, :, None]
        in_character = tf.where(stays, in_character, new) + characters[frame, :, None]
        return in_character, in_blank, *decisions

    frames = blanks.shape[0]
    shapes = [(*in_blank.shape, last) for last in (classes, classes, min(classes, 2))] + [in_blank.shape]
    kinds = (tf.bool, tf.bool, tf.int32, tf.bool)
    decisions = [tf.TensorArray(kind, frames, element_shape=shape) for kind, shape in zip(kinds, shapes)]
    in_character, in_blank, *decisions = _loop(step, frames, (in_character, in_blank, *decisions))
    return _trace(in_character, in_blank, [array.stack() for array in decisions], sorted(set(lengths)), classes)


def log_mass(logits: tf.Tensor, lengths: Collection[int], valid: tf.Tensor | None = None) -> tf.Tensor:
    """The logarithm of the probability that the text has one of some lengths, over all texts and paths, `float32 [B]`.

    The forward algorithm of Graves et al. 2006 summed over all texts. Arguments as of `best_path`.
    """
    blanks, characters = _split(logits, valid)

    def step(frame, in_character, in_blank):
        ended = tf.reduce_logsumexp(tf.concat([in_character, in_blank[..., None]], axis=-1), axis=-1)
        new = _after_one_more(_of_others(in_character, in_blank))
        return _either(in_character, new) + characters[frame, :, None], ended + blanks[frame, :, None]

    in_character, in_blank = _loop(step, blanks.shape[0], _start(characters, max(lengths)))
    ends = tf.reduce_logsumexp(tf.stack([in_blank, tf.reduce_logsumexp(in_character, axis=-1)]), axis=0)
    return tf.maximum(tf.reduce_logsumexp(tf.gather(ends, sorted(set(lengths)), axis=1), axis=1), NEVER)


def mass(logits: tf.Tensor, lengths: Collection[int], valid: tf.Tensor | None = None) -> tf.Tensor:
    """The probability of `log_mass`, `float32 [B]`, where it is not too small for float32.

    In a fifth of the time, as it sums probabilities rather than logarithms. Rounding may add 1e-7 of the probability of
    texts that are no longer than the lengths.
    """
    frames = tf.exp(log_probabilities(logits, valid))
    in_character, in_blank = tf.zeros_like(frames[:, :1, :-1]), tf.ones_like(frames[:, :1, -1:])
    rows = [[0, 0], [0, max(lengths)], [0, 0]]
    in_character, in_blank = tf.pad(in_character, rows), tf.pad(in_blank, rows)  # [B, K + 1, C] and [B, K + 1, 1]
    for frame in tf.unstack(frames[:, :, None], axis=1):
        ended = tf.reduce_sum(in_character, axis=-1, keepdims=True) + in_blank
        new = tf.pad((ended - in_character)[:, :-1], [[0, 0], [1, 0], [0, 0]])
        in_character, in_blank = (in_character + new) * frame[..., :-1], ended * frame[..., -1:]
    ends = tf.reduce_sum(in_character, axis=-1) + in_blank[..., 0]
    return tf.reduce_sum(tf.gather(ends, sorted(set(lengths)), axis=1), axis=1)


def log_probability(logits: tf.Tensor, ids: tf.Tensor, valid: tf.Tensor | None = None) -> tf.Tensor:
    """The logarithm of the probability of texts over all their paths, `float32 [B, N]`; an empty text has none.

    The forward algorithm of Graves et al. 2006, section 4.1. ids: `int32 [B, N, L]`, N texts of each image, after
    whose last character come blanks. logits and valid as of `best_path`.
    """
    blanks, characters = _split(logits, valid)
    real = ids < characters.shape[-1]
    chosen = tf.gather(tf.transpose(characters, (1, 2, 0)), tf.where(real, ids, 0), axis=1, batch_dims=1)
    chosen = tf.transpose(tf.where(real[..., None], chosen, NEVER), (3, 0, 1, 2))  # [T, B, N, L]
    repeats = tf.pad(ids[..., 1:] == ids[..., :-1], [[0, 0], [0, 0], [1, 0]])  # after a blank only
    # the paths so far that spell so much of a text: those that end in its last character, and in a blank
    in_character = tf.fill(tf.shape(ids), NEVER)
    in_blank = tf.zeros_like(in_character[..., :1]) + tf.one_hot(0, ids.shape[-1] + 1, on_value=0.0, off_value=NEVER)

    def step(frame, in_character, in_blank):
        ended = _either(_shifted(in_character), in_blank)
        new = tf.where(repeats, in_blank[..., :-1], ended[..., :-1])
        return _either(in_character, new) + chosen[frame], ended + blanks[frame, :, None, None]

    in_character, in_blank = _loop(step, blanks.shape[0], (in_character, in_blank))
    count = tf.reduce_sum(tf.cast(real, tf.int32), axis=-1)
    ended = _either(_shifted(in_character), in_blank)
    return tf.where(count > 0, tf.maximum(tf.gather(ended, count, axis=2, batch_dims=2), NEVER), NEVER)


def _either(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The logarithm of the sum of two probabilities."""
    return tf.maximum(a, b) + tf.math.softplus(-tf.abs(a - b))


def _shifted(states: tf.Tensor) -> tf.Tensor:
    """States `[B, N, L]` of texts without their first part, `[B, N, L + 1]` with the empty one."""
    return tf.pad(states, [[0, 0], [0, 0], [1, 0]], constant_values=NEVER)


def _split(logits: tf.Tensor, valid: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Of the blank `[T, B]` and of the characters `[T, B, C]`."""
    frames = tf.transpose(log_probabilities(logits, valid), (1, 0, 2))
    return frames[..., -1], frames[..., :-1]


def _loop(step: Callable, frames: int, states: tuple) -> tuple:
    """The states after `step(frame, *states)` for every frame: a loop in the graph, whose size is that of one frame."""
    _, *states = tf.while_loop(
        lambda frame, *states: frame < frames, lambda frame, *states: (frame + 1, *step(frame, *states)), (0, *states)
    )
    return tuple(states)


def log_probabilities(logits: tf.Tensor, valid: tf.Tensor | None) -> tf.Tensor:
    """Log probabilities `[B, T, classes]`; a frame without image is blank for certain."""
    frames = tf.maximum(tf.nn.log_softmax(tf.cast(logits, tf.float32)), NEVER)
    if valid is None:
        return frames
    certain = tf.one_hot(frames.shape[-1] - 1, frames.shape[-1], on_value=0.0, off_value=NEVER)
    return tf.where(valid[..., None], frames, certain)


def _beam(logits: tf.Tensor, valid: tf.Tensor | None, lengths: Collection[int], width: int) -> tf.Tensor:
    """The texts of a beam search, `int32 [B, N, max(lengths)]`; those of other lengths are left empty."""
    frames, blank = log_probabilities(logits, valid), logits.shape[-1] - 1
    shortest = sum(blank**length for length in range((frames.shape[1] + 1) // 2 + 1))  # texts that the frames can spell
    decoded, _ = tf.nn.ctc_beam_search_decoder(
        tf.transpose(frames, (1, 0, 2)),
        tf.repeat(frames.shape[1], tf.shape(frames)[0]),
        beam_width=width,
        top_paths=min(width, shortest),  # TensorFlow fails where there are fewer than asked for
    )
    rows = tf.sparse.concat(0, decoded, expand_nonconcat_dims=True)
    texts = tf.sparse.to_dense(tf.cast(rows, tf.int32), default_value=blank)
    texts = tf.transpose(tf.reshape(texts, (len(decoded), tf.shape(frames)[0], -1)), (1, 0, 2))
    count = tf.reduce_sum(tf.cast(texts < blank, tf.int32), axis=-1, keepdims=True)
    texts = tf.where(tf.reduce_any(count == sorted(set(lengths)), axis=-1, keepdims=True), texts, blank)
    return tf.pad(texts, [[0, 0], [0, 0], [0, max(lengths)]], constant_values=blank)[..., : max(lengths)]


def _of_others(in_character: tf.Tensor, in_blank: tf.Tensor) -> tf.Tensor:
    """Of every character, the logarithm of the sum over the blank and the other characters, `[B, K + 1, C]`."""
    largest = tf.maximum(tf.reduce_max(in_character, axis=-1), in_blank)[..., None]
    parts = tf.exp(in_character - largest)
    before, behind = (tf.cumsum(parts, axis=-1, exclusive=True, reverse=way) for way in (False, True))
    sums = before + behind + tf.exp(in_blank[..., None] - largest)
    return tf.where(sums > 0, tf.math.log(sums) + largest, NEVER)


def _start(characters: tf.Tensor, most: int) -> tuple[tf.Tensor, tf.Tensor]:
    batch, classes = tf.shape(characters)[1], characters.shape[-1]
    in_character = tf.fill((batch, most + 1, classes), NEVER)
    return in_character, tf.zeros((batch, 1)) + tf.one_hot(0, most + 1, on_value=0.0, off_value=NEVER)


def _after_one_more(states: tf.Tensor) -> tf.Tensor:
    """States `[B, K + 1, C]` moved to one character more."""
    return tf.pad(states[:, :-1], [[0, 0], [1, 0], [0, 0]], constant_values=NEVER)


def _trace(in_character, in_blank, decisions, lengths: list[int], classes: int) -> tf.Tensor:
    """Follows the best path back from its end, by the decisions of `best_path` at each frame, `[T, B, ...]`."""
    batch, most = tf.shape(in_blank)[0], lengths[-1]
    best = tf.reduce_max(in_character, axis=-1)
    ends = tf.gather(tf.maximum(best, in_blank), lengths, axis=1)
    count = tf.gather(lengths, tf.argmax(ends, axis=1, output_type=tf.int32))
    last = tf.gather(tf.argmax(in_character, axis=-1, output_type=tf.int32), count, axis=1, batch_dims=1)
    blank = tf.gather(in_blank >= best, count, axis=1, batch_dims=1)
    possible = tf.reduce_max(ends, axis=1) > NEVER / 2
    frames = decisions[0].shape[0]

    def step(back, ids, count, last, blank):
        stays, from_blank, who, leaves = (decision[frames - 1 - back] for decision in decisions)
        top = tf.gather(who, count, axis=1, batch_dims=1)[:, 0]
        # in a blank: it was one before, or the best character was left
        left = tf.gather(leaves, count, axis=1, batch_dims=1)
        stayed = _of(stays, count, last)
        one_less = tf.maximum(count - 1, 0)
        after_blank = _of(from_blank, one_less, last)
        before = tf.gather(who, one_less, axis=1, batch_dims=1)
        previous = tf.where((before[:, 0] == last) & (before.shape[1] > 1), before[:, -1], before[:, 0])
        starts = ~blank & ~stayed
        written = (count[:, None] - 1 == tf.range(most)) & starts[:, None]
        ids = tf.where(written, last[:, None], ids)
        last, blank = (
            tf.where(blank, tf.where(left, top, last), tf.where(starts & ~after_blank, previous, last)),
            tf.where(blank, ~left, starts & after_blank),
        )
        return ids, tf.where(starts, count - 1, count), last, blank

    ids, *_ = _loop(step, frames, (tf.fill((batch, most), classes), count, last, blank))
    return tf.where(possible[:, None], ids, classes)


def _of(states: tf.Tensor, count: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """The entry `[B]` of states `[B, K + 1, C]` at a count and a character each."""
    return tf.gather(tf.gather(states, count, axis=1, batch_dims=1), last, axis=1, batch_dims=1)
