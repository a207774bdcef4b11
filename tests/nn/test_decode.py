"""Decoding and its confidence against TensorFlow's decoder and loss, and against all paths of a small problem."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
import tensorflow as tf

from seqclr.methods.text.ctc import ctc_loss
from seqclr.nn import decode

CHARACTERS = "ab"
BLANK = len(CHARACTERS)


def logits_of(seed: int, batch: int, frames: int, classes: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (batch, frames, classes)).astype(np.float32)


def mask_of(lengths: np.ndarray, frames: int) -> np.ndarray:
    return np.arange(frames)[None] < lengths[:, None]


def texts_of(ids: tf.Tensor, characters: str) -> list[str]:
    return [text.decode() for text in decode.join(ids, characters).numpy()]


def all_texts(logits: np.ndarray) -> dict[str, float]:
    """The probability of every text, summed over all paths of `[T, classes]`."""
    probabilities, sums = tf.nn.softmax(logits).numpy(), defaultdict(float)
    for path in itertools.product(range(BLANK + 1), repeat=len(logits)):
        text = "".join(CHARACTERS[i] for i, _ in itertools.groupby(path) if i != BLANK)
        sums[text] += probabilities[range(len(path)), path].prod()
    return sums


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("characters", ["a", "abc", "0123456789"])
def test_greedy_is_that_of_tensorflow(characters, masked):
    batch, frames = 64, 12
    logits = logits_of(len(characters), batch, frames, len(characters) + 1)
    lengths = np.random.default_rng(1).integers(1, frames + 1, batch) if masked else np.full(batch, frames)
    ids = decode.greedy(tf.constant(logits), tf.constant(mask_of(lengths, frames)) if masked else None)
    [expected], _ = tf.nn.ctc_greedy_decoder(logits.transpose(1, 0, 2), lengths.astype(np.int32))
    expected = tf.sparse.to_dense(expected, default_value=len(characters))
    assert texts_of(ids, characters) == texts_of(expected, characters)
    assert len(set(texts_of(ids, characters))) > 1


def test_greedy_drops_repeats_and_blanks_but_keeps_what_a_blank_parts():
    best = [0, 0, BLANK, 0, 1, 1, BLANK, BLANK]
    ids = decode.greedy(tf.one_hot([best], BLANK + 1) * 100.0)
    assert texts_of(ids, CHARACTERS) == ["aab"]
    assert ids.dtype == tf.int32 and ids.shape == (1, 8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("masked", [False, True])
def test_decoding_and_confidence_are_brute_force(seed, masked):
    frames = 5
    logits = logits_of(seed, 4, frames, BLANK + 1)
    lengths = np.array([5, 3, 1, 4]) if masked else np.full(4, frames)
    valid = tf.constant(mask_of(lengths, frames)) if masked else None
    sums = [all_texts(row[:length]) for row, length in zip(logits, lengths)]
    wide, greedy = decode.beam_search(tf.constant(logits), valid, 500), decode.greedy(tf.constant(logits), valid)
    assert texts_of(wide, CHARACTERS) == [max(row, key=row.get) for row in sums]
    for ids in (wide, greedy):
        wanted = [row[text] if text else 0.0 for row, text in zip(sums, texts_of(ids, CHARACTERS))]
        np.testing.assert_allclose(decode.confidence(tf.constant(logits), ids, valid), wanted, rtol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("classes, scale", [(3, 1.0), (37, 5.0)])
def test_confidence_is_that_of_the_ctc_loss(classes, scale, masked):
    batch, frames = 64, 32
    logits = tf.constant(logits_of(classes, batch, frames, classes) * scale)
    lengths = np.random.default_rng(2).integers(16, frames + 1, batch)
    mask = tf.constant(mask_of(lengths, frames)) if masked else None
    labels = np.random.default_rng(3).integers(0, classes - 1, (batch, 7))  # with twins, where there are two characters
    counts = np.random.default_rng(4).integers(1, 8, batch)
    labels = np.where(np.arange(7) < counts[:, None], labels, -1).astype(np.int32)
    for ids in (np.where(labels < 0, classes - 1, labels), decode.greedy(logits, mask)):
        labels = tf.where(decode.pack(ids, classes - 1) == classes - 1, -1, decode.pack(ids, classes - 1))
        found = decode.confidence(logits, ids, mask)
        np.testing.assert_allclose(found, np.exp(-ctc_loss(labels, logits, mask)), rtol=1e-4, atol=1e-37)


def test_a_path_is_less_than_its_text():
    """Where a character may begin at either of two frames, the best path has half of the probability of the text."""
    frames = np.full((1, 3, BLANK + 1), -100, np.float32)
    frames[0, 0, BLANK] = frames[0, 2, 0] = 0  # a blank, an a or a blank, an a
    frames[0, 1, [0, BLANK]] = 0
    assert float(decode.confidence(frames, decode.greedy(frames))[0]) == pytest.approx(1)


def test_nothing_predicted_is_no_confidence():
    blank = tf.one_hot([[BLANK] * 6], BLANK + 1) * 100.0
    for ids in (decode.greedy(blank), decode.beam_search(blank, None, 5)):
        assert texts_of(ids, CHARACTERS) == [""] and float(decode.confidence(blank, ids)[0]) == 0
    masked = decode.confidence(blank, tf.constant([[0]]), tf.constant([[False] * 6]))
    assert float(masked[0]) == 0


def test_confidence_stays_in_bounds_on_long_lines():
    best = np.array([[i % 3 for i in range(200)], [BLANK] * 199 + [0]])
    logits = tf.one_hot(best, BLANK + 1) * 50.0
    np.testing.assert_allclose(decode.confidence(logits, decode.greedy(logits)), 1, rtol=1e-5)
    noise = logits_of(0, 2, 200, 90)
    assert np.isfinite(decode.confidence(tf.constant(noise), decode.greedy(noise))).all()


def test_pack_keeps_the_order():
    ids = tf.constant([[BLANK, 1, BLANK, 0], [BLANK] * 4, [0, 1, 1, BLANK]])
    assert decode.pack(ids, BLANK).numpy().tolist() == [[1, 0, BLANK, BLANK], [BLANK] * 4, [0, 1, 1, BLANK]]


def test_join_leaves_blanks_out_wherever_they_stand():
    ids = tf.constant([[BLANK, 1, BLANK, 0], [BLANK] * 4, [0, 0, 1, 1]])
    assert texts_of(ids, CHARACTERS) == ["ba", "", "aabb"]
    assert decode.join(tf.constant([[1, 0]]), "é日").numpy()[0].decode() == "日é"
