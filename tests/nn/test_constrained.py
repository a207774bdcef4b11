"""Decoding with a known length against the enumeration of all paths."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn import constrained

rng = np.random.default_rng(0)


def spelled(path, blank):
    return tuple(c for i, c in enumerate(path) if c != blank and (i == 0 or path[i - 1] != c))


def enumerated(logits, lengths, frames):
    """The text of the likeliest path of one of the lengths, and the probability of the lengths, by all paths."""
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))
    blank, best, mass = logits.shape[1] - 1, (0.0, ()), 0.0
    for path in itertools.product(range(blank + 1), repeat=frames):
        text = spelled(path, blank)
        if len(text) in lengths:
            chance = np.prod(p[np.arange(frames), path])
            mass += chance
            best = max(best, (chance, text))
    return best[1], mass


@pytest.mark.parametrize("lengths", [[1], [2], [3], [1, 3], [2, 3]])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_the_best_path_and_the_mass_are_those_of_all_paths(lengths, classes):
    logits = (2 * rng.standard_normal((12, 6, classes))).astype(np.float32)
    filled = rng.integers(3, 7, 12)
    valid = np.arange(6) < filled[:, None]
    ids = constrained.best_path(tf.constant(logits), lengths, tf.constant(valid)).numpy()
    mass = constrained.log_mass(tf.constant(logits), lengths, tf.constant(valid)).numpy()
    for row, frames in enumerate(filled):
        text, expected = enumerated(logits[row, :frames].astype(np.float64), lengths, frames)
        assert tuple(i for i in ids[row] if i != classes - 1) == text
        np.testing.assert_allclose(mass[row], np.log(expected) if expected else -1e9, rtol=1e-4, atol=1e-4)


def test_too_few_frames_give_no_text():
    logits = tf.zeros((1, 4, 2))  # of one character, whose neighbours need a blank between them
    assert (constrained.best_path(logits, [3]).numpy() == 1).all()
    assert (constrained.best_path(logits, [2]).numpy() == 0).all()


def test_other_classes_are_ruled_out():
    logits = constrained.mask_classes(tf.constant([[[9.0, 1.0, 0.0, -5.0]]]), {1})
    np.testing.assert_array_equal(tf.nn.softmax(logits).numpy()[0, 0, [0, 2]], [0, 0])
    assert constrained.best_path(logits, [1]).numpy().tolist() == [[1]]
