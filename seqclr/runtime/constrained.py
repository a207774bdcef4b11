"""Decoding where the characters or the lengths of texts are known, in NumPy: `nn/constrained.py` without TensorFlow.

Log probabilities are `float32 [B, T, classes]`, the blank last; a frame of padding is blank for certain. The states of
a path after a frame are those of `nn/constrained.py`: `[B, K + 1, C]` and `[B, K + 1]`.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from seqclr.data.knowledge import Possible

IMPROBABLE = 1e-4  # a probability, see `character_confidences`
LONGEST = 20  # characters of a text whose characters have confidences
NEVER = np.float32(-1e9)  # the logarithm of no probability: finite, so that differences of two of them are numbers


def predict(log_probabilities: np.ndarray, possible: Possible) -> tuple[np.ndarray, np.ndarray]:
    """The predicted texts, ids `[B, L]` with the blank where there is no character, and their confidence `[B]`."""
    frames = np.maximum(log_probabilities.astype(np.float32), NEVER)
    if possible.classes is not None:
        frames = mask_classes(frames, possible.classes)
    blank = frames.shape[-1] - 1
    ids, total = greedy(frames), np.float32(0)
    if possible.lengths is not None:
        others = ~np.isin((ids < blank).sum(axis=1), possible.lengths)
        ids = ids[:, : max(possible.lengths)].copy()
        if others.any():  # elsewhere the best path of all texts is that of the possible ones
            ids[others] = best_path(frames[others], possible.lengths)
        total = log_mass(frames, possible.lengths)
    certainty = log_probability(frames, ids) - total
    return ids, np.where(ids[:, 0] < blank, np.exp(np.minimum(certainty, 0)), 0)


def character_confidences(log_probabilities: np.ndarray, ids: np.ndarray) -> list[tuple[float, ...]]:
    """The confidence of each character of the texts, ids `[B, L]` as of `predict`.

    It is the probability of the text among all texts that differ from it in this character alone. Characters that no
    frame predicts with a probability of IMPROBABLE are left out. Texts of more than LONGEST characters have none.
    """
    frames, blank = np.maximum(log_probabilities.astype(np.float32), NEVER), log_probabilities.shape[-1] - 1
    return [_confidences(image, text[text < blank]) for image, text in zip(frames, ids)]


def _confidences(frames: np.ndarray, text: np.ndarray) -> tuple[float, ...]:
    if not 0 < len(text) <= LONGEST:
        return ()
    probable = np.flatnonzero(frames[:, :-1].max(axis=0) > np.log(IMPROBABLE))
    others = np.union1d(probable, text)
    texts = np.tile(text, (len(text), len(others), 1))  # [L, others, L]
    for index in range(len(text)):
        texts[index, :, index] = others
    logarithms = log_probability(
        np.broadcast_to(frames, (texts[..., 0].size, *frames.shape)), texts.reshape(-1, len(text))
    )
    logarithms = logarithms.reshape(texts.shape[:2])
    own = logarithms[np.arange(len(text)), np.searchsorted(others, text)]
    return tuple(np.exp(np.minimum(own - _log_sum(logarithms, axis=1), 0)).tolist())


def mask_classes(frames: np.ndarray, allowed: Collection[int]) -> np.ndarray:
    """Log probabilities among the allowed classes and the blank."""
    blank = frames.shape[-1] - 1
    keep = [i == blank or i in allowed for i in range(blank + 1)]
    masked = np.where(keep, frames, NEVER)
    return np.maximum(masked - _log_sum(masked, axis=-1)[..., None], NEVER)


def greedy(frames: np.ndarray) -> np.ndarray:
    """The text of the best path, ids `[B, T]`: blanks follow the characters."""
    blank = frames.shape[-1] - 1
    best = frames.argmax(axis=-1)
    before = np.pad(best[:, :-1], ((0, 0), (1, 0)), constant_values=blank)
    ids = np.where(best != before, best, blank)
    return np.take_along_axis(ids, np.argsort(ids == blank, axis=1, kind="stable"), axis=1)


def best_path(frames: np.ndarray, lengths: Collection[int]) -> np.ndarray:
    """The text of the likeliest path among those whose text has one of some lengths, ids `[B, max(lengths)]`.

    An image of too few frames for any of the lengths gives no text.
    """
    characters, blanks = _split(frames)
    lengths, classes = sorted(set(lengths)), characters.shape[-1]
    in_character, in_blank = _start(characters, lengths[-1])
    decisions = []
    for character, blank in zip(characters, blanks):
        # a new character comes after a blank, or after another character: the best one, or for that one itself the next
        who = in_character.argmax(axis=-1)
        top = in_character.max(axis=-1)
        same = np.arange(classes) == who[..., None]
        others = np.where(same, NEVER, in_character)
        other = np.where(same, others.max(axis=-1)[..., None], top[..., None])
        after_blank = in_blank[..., None] >= other
        new = _after_one_more(np.where(after_blank, in_blank[..., None], other))
        stays, leaves = in_character >= new, top > in_blank
        decisions.append((stays, _after_one_more(after_blank, fill=True), who, others.argmax(axis=-1), leaves))
        in_blank = np.maximum(in_blank, top) + blank
        in_character = np.where(stays, in_character, new) + character
    rows = [_trace(in_character[b], in_blank[b], decisions, b, lengths) for b in range(len(frames))]
    return np.array(rows).reshape(len(frames), lengths[-1])


def _trace(in_character: np.ndarray, in_blank: np.ndarray, decisions: list, row: int, lengths: list[int]) -> list[int]:
    """Follows the best path of an image back from its end; the blank, `classes`, is no character."""
    classes, ends = in_character.shape[-1], np.maximum(in_character.max(axis=-1), in_blank)[lengths]
    if ends.max() <= NEVER / 2:
        return [classes] * lengths[-1]
    count = lengths[int(ends.argmax())]
    last, in_a_blank = int(in_character[count].argmax()), bool(in_blank[count] >= in_character[count].max())
    text: list[int] = []
    for stays, after_blank, who, second, leaves in reversed(decisions):
        if in_a_blank:
            if leaves[row, count]:
                last, in_a_blank = int(who[row, count]), False
        elif not stays[row, count, last]:
            text.append(last)
            in_a_blank, best = bool(after_blank[row, count, last]), int(who[row, count - 1])
            if not in_a_blank:
                last = int(second[row, count - 1]) if best == last else best
            count -= 1
    return [*reversed(text), *[classes] * (lengths[-1] - len(text))]


def log_mass(frames: np.ndarray, lengths: Collection[int]) -> np.ndarray:
    """The logarithm of the probability that the text has one of some lengths, over all texts and paths, `[B]`."""
    characters, blanks = _split(frames)
    in_character, in_blank = _start(characters, max(lengths))
    for character, blank in zip(characters, blanks):
        ended = np.logaddexp(_log_sum(in_character, axis=-1), in_blank)
        new = _after_one_more(_of_others(in_character, in_blank))
        in_character, in_blank = np.logaddexp(in_character, new) + character, ended + blank
    ends = np.logaddexp(in_blank, _log_sum(in_character, axis=-1))
    return np.maximum(_log_sum(ends[:, sorted(set(lengths))], axis=1), NEVER)


def log_probability(frames: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The logarithm of the probability of texts, ids `[B, L]`, over all their paths, `[B]`; an empty text has none."""
    blank = frames.shape[-1] - 1
    real = ids < blank
    chosen = np.take_along_axis(frames, np.where(real, ids, 0)[:, None], axis=2)  # [B, T, L]
    chosen = np.where(real[:, None], chosen, NEVER)
    repeats = np.pad(ids[:, 1:] == ids[:, :-1], ((0, 0), (1, 0)))  # after a blank only
    in_character = np.full(ids.shape, NEVER)
    in_blank = np.full((len(ids), ids.shape[1] + 1), NEVER)
    in_blank[:, 0] = 0
    for frame in range(frames.shape[1]):
        ended = np.logaddexp(_shifted(in_character), in_blank)
        new = np.where(repeats, in_blank[:, :-1], ended[:, :-1])
        in_character = np.logaddexp(in_character, new) + chosen[:, frame]
        in_blank = ended + frames[:, frame, -1:]
    ended, count = np.logaddexp(_shifted(in_character), in_blank), real.sum(axis=1)
    return np.where(count > 0, np.maximum(ended[np.arange(len(ids)), count], NEVER), NEVER)


def _split(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the characters, `[T, B, 1, C]`, and of the blank, `[T, B, 1]`."""
    frames = frames.transpose(1, 0, 2)[:, :, None]
    return frames[..., :-1], frames[..., -1]


def _start(characters: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    _, batch, _, classes = characters.shape
    in_blank = np.full((batch, most + 1), NEVER)
    in_blank[:, 0] = 0
    return np.full((batch, most + 1, classes), NEVER), in_blank


def _of_others(in_character: np.ndarray, in_blank: np.ndarray) -> np.ndarray:
    """Of every character, the logarithm of the sum over the blank and the other characters, `[B, K + 1, C]`."""
    largest = np.maximum(in_character.max(axis=-1), in_blank)[..., None]
    parts = np.exp(in_character - largest)
    sums = np.broadcast_to(np.exp(in_blank[..., None] - largest), parts.shape).copy()
    sums[..., 1:] += np.cumsum(parts[..., :-1], axis=-1)  # the characters before, and those behind
    sums[..., :-1] += np.cumsum(parts[..., :0:-1], axis=-1)[..., ::-1]
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(sums) + largest, NEVER)


def _after_one_more(states: np.ndarray, fill: float = NEVER) -> np.ndarray:
    """States `[B, K + 1, C]` moved to one character more."""
    moved = np.full_like(states, fill)
    moved[:, 1:] = states[:, :-1]
    return moved


def _shifted(states: np.ndarray) -> np.ndarray:
    """States `[B, L]` of texts without their first part, `[B, L + 1]` with the empty one."""
    moved = np.full((len(states), states.shape[1] + 1), NEVER)
    moved[:, 1:] = states
    return moved


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    """The logarithm of the sum of probabilities."""
    largest = values.max(axis=axis, keepdims=True)
    return np.log(np.exp(values - largest).sum(axis=axis)) + np.squeeze(largest, axis)
