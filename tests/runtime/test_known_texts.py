"""Decoding of known texts in NumPy gives what that of nn/constrained.py gives."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.data.knowledge import Possible
from seqclr.nn import constrained as reference
from seqclr.runtime import constrained

FRAMES = 8


@pytest.mark.parametrize(
    "characters, classes, lengths",
    [(1, None, (3,)), (1, (0,), (1, 2)), (4, (0, 2, 3), None), (4, None, (1, 2, 4)), (4, (1,), (3,)), (4, None, (6,))],
)
def test_texts_and_confidence_are_those_of_the_graph(characters, classes, lengths):
    rng = np.random.default_rng(0)
    spread = np.repeat([0.5, 4, 25], 40)[:, None, None]  # unsure, and sure
    logits = rng.normal(0, 1, (120, FRAMES, characters + 1)) * spread
    logits[..., -1] += rng.choice([0, 2, 8], (120, 1)) * spread[..., 0]  # few characters in some
    logits, valid = logits.astype(np.float32), np.arange(FRAMES) < rng.integers(1, FRAMES + 1, (120, 1))
    possible = Possible(classes, lengths)
    frames = reference.log_probabilities(tf.constant(logits), tf.constant(valid)).numpy()
    ids, confidence = constrained.predict(frames, possible)
    wanted, share = (each.numpy() for each in reference.predict(logits, valid, possible))
    assert [row[row < characters].tolist() for row in ids] == [row[row < characters].tolist() for row in wanted]
    np.testing.assert_allclose(confidence, share, atol=1e-4)


def test_the_confidence_of_a_character_is_among_texts_that_differ_there():
    logits = tf.constant(np.random.default_rng(1).normal(0, 3, (20, FRAMES, 5)), tf.float32)
    frames = reference.log_probabilities(logits, None).numpy()
    ids, _ = constrained.predict(frames, Possible())
    for image, (text, found) in enumerate(zip(ids, constrained.character_confidences(frames, ids))):
        text = text[text < 4]
        for index, confidence in enumerate(found):
            others = np.tile(text, (4, 1))
            others[:, index] = range(4)
            mass = np.exp(reference.log_probability(logits[image : image + 1], others[None])[0])
            assert confidence == pytest.approx(mass[text[index]] / mass.sum(), abs=2e-3)
        assert len(found) == len(text)
