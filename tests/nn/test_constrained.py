"""Decoding with a known length against the enumeration of all paths."""

import itertools
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from seqclr.data.knowledge import Possible
from seqclr.nn import constrained, decode

rng = np.random.default_rng(0)


def spelled(path, blank):
    return tuple(c for i, c in enumerate(path) if c != blank and (i == 0 or path[i - 1] != c))


def enumerated(logits, lengths, frames):
    """The text of the likeliest path of one of the lengths, the probability of each text of them, by all paths."""
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))
    blank, best, texts = logits.shape[1] - 1, (0.0, ()), Counter()
    for path in itertools.product(range(blank + 1), repeat=frames):
        text = spelled(path, blank)
        if len(text) in lengths:
            chance = np.prod(p[np.arange(frames), path])
            texts[text] += chance
            best = max(best, (chance, text))
    return best[1], texts


@pytest.mark.parametrize("lengths", [[1], [2], [3], [1, 3], [2, 3]])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_the_best_path_and_the_mass_are_those_of_all_paths(lengths, classes):
    logits = (2 * rng.standard_normal((12, 6, classes))).astype(np.float32)
    filled = rng.integers(3, 7, 12)
    valid = np.arange(6) < filled[:, None]
    ids = constrained.best_path(tf.constant(logits), lengths, tf.constant(valid)).numpy()
    mass = constrained.log_mass(tf.constant(logits), lengths, tf.constant(valid)).numpy()
    np.testing.assert_allclose(
        constrained.mass(tf.constant(logits), lengths, tf.constant(valid)), np.exp(mass), atol=1e-6
    )
    for row, frames in enumerate(filled):
        text, texts = enumerated(logits[row, :frames].astype(np.float64), lengths, frames)
        assert tuple(i for i in ids[row] if i != classes - 1) == text
        expected = sum(texts.values())
        np.testing.assert_allclose(mass[row], np.log(expected) if expected else -1e9, rtol=1e-4, atol=1e-4)


def test_too_few_frames_give_no_text():
    logits = tf.zeros((1, 4, 2))  # of one character, whose neighbours need a blank between them
    assert (constrained.best_path(logits, [3]).numpy() == 1).all()
    assert (constrained.best_path(logits, [2]).numpy() == 0).all()


def test_other_classes_are_ruled_out():
    logits = constrained.mask_classes(tf.constant([[[9.0, 1.0, 0.0, -5.0]]]), {1})
    np.testing.assert_array_equal(tf.nn.softmax(logits).numpy()[0, 0, [0, 2]], [0, 0])
    assert constrained.best_path(logits, [1]).numpy().tolist() == [[1]]


@pytest.mark.parametrize("lengths", [(1,), (2, 3)])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_confidence_is_that_among_the_possible_texts_and_a_beam_finds_the_likeliest(classes, lengths):
    logits = rng.standard_normal((12, 5, classes)).astype(np.float32)
    filled = rng.integers(1, 6, 12)
    valid = tf.constant(np.arange(5) < filled[:, None])
    for beam in (1, 200):
        ids, confidence = constrained.predict(tf.constant(logits), valid, Possible(None, lengths), beam)
        for row, frames in enumerate(filled):
            path, texts = enumerated(logits[row, :frames].astype(np.float64), lengths, frames)
            text = tuple(i for i in ids.numpy()[row] if i != classes - 1)
            if not texts:
                assert (text, float(confidence[row])) == ((), 0.0)
                continue
            assert texts[text] == pytest.approx(texts[path] if beam == 1 else max(texts.values()))
            assert float(confidence[row]) == pytest.approx(texts[text] / sum(texts.values()), rel=1e-3)


def test_nothing_known_is_greedy_and_a_charset_masks():
    logits = tf.constant(rng.standard_normal((8, 6, 4)), tf.float32)
    valid = tf.constant(np.arange(6) < rng.integers(1, 7, 8)[:, None])
    for some, possible in ((logits, Possible()), (constrained.mask_classes(logits, (0, 2)), Possible((0, 2)))):
        ids, confidence = constrained.predict(logits, valid, possible)
        np.testing.assert_array_equal(ids, decode.greedy(some, valid))
        np.testing.assert_array_equal(confidence, decode.confidence(some, ids, valid))
    assert not (ids.numpy() == 1).any()


def test_a_text_of_no_probability_in_numbers_has_a_confidence():
    """Frames that are sure of another length: the probability of the text itself is less than float32 has."""
    logits = tf.one_hot([[0] * 32 + [1]], 3) * 200.0
    ids, confidence = constrained.predict(logits, None, Possible(None, (4,)))
    assert float(decode.confidence(logits, ids)[0]) == 0 < float(confidence[0]) <= 1
