"""Decoding of known texts in NumPy gives what that of nn/constrained.py gives."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.data.knowledge import Possible
from seqclr.nn import constrained as reference
from seqclr.runtime import constrained


@pytest.mark.parametrize("classes", [None, (1,), (0, 2, 3)])
@pytest.mark.parametrize("lengths", [None, (3,), (1, 2, 4), (5, 9)])
@pytest.mark.parametrize("characters", [1, 4])
def test_texts_and_confidence_are_those_of_the_graph(classes, lengths, characters):
    if characters == 1:
        classes = None if classes is None else (0,)
    rng = np.random.default_rng(0)
    for spread in (0.5, 4, 25):
        logits = rng.normal(0, spread, (40, 11, characters + 1)).astype(np.float32)
        logits[..., -1] += rng.choice([0, 2, 8], (40, 1)) * spread  # few characters in some
        valid = np.arange(11) < rng.integers(1, 12, (40, 1))
        possible = Possible(classes, lengths)
        frames = reference._frames(tf.constant(logits), tf.constant(valid)).numpy()
        ids, confidence = constrained.predict(frames, possible)
        wanted, share = (each.numpy() for each in reference.predict(logits, valid, possible))
        assert [row[row < characters].tolist() for row in ids] == [row[row < characters].tolist() for row in wanted]
        np.testing.assert_allclose(confidence, share, atol=1e-4)
