"""The loss of a wrong text, against all paths one by one."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from seqclr.methods.text.unlikelihood import unlikelihood_loss

TEXTS = np.array([[0, 1], [1, -1], [0, 0], [-1, -1]], np.int32)
LOGITS = np.random.default_rng(0).normal(0, 2, (4, 4, 3)).astype(np.float32)


def probability(text, logits) -> float:
    """Of a text, summed over all paths of classes; the last class is the blank."""
    frames = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    blank = logits.shape[-1] - 1
    paths = itertools.product(range(blank + 1), repeat=len(frames))
    spell = [path for path in paths if [c for c, _ in itertools.groupby(path) if c != blank] == list(text)]
    return sum(np.prod([frame[c] for frame, c in zip(frames, path)]) for path in spell)


def expected(logits, lengths=(4, 4, 4, 4)) -> np.ndarray:
    rows = zip(TEXTS, logits.astype(np.float64), lengths)
    return np.array([-np.log(1 - probability(t[t >= 0], x[:n])) if t[0] >= 0 else 0.0 for t, x, n in rows])


def test_the_loss_and_its_gradient():
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        losses = unlikelihood_loss(tf.constant(TEXTS), logits)
    np.testing.assert_allclose(losses, expected(LOGITS), rtol=1e-4, atol=1e-6)
    gradient = tape.gradient(losses, logits).numpy()
    for place in [(0, 0, 0), (0, 3, 2), (1, 1, 1), (2, 2, 2), (3, 0, 0)]:
        step = np.zeros_like(LOGITS, np.float64)
        step[place] = 1e-5
        slope = (expected(LOGITS + step).sum() - expected(LOGITS - step).sum()) / 2e-5
        assert gradient[place] == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_padding_changes_nothing():
    mask = tf.sequence_mask([4, 3, 4, 2], 4)
    np.testing.assert_allclose(
        unlikelihood_loss(tf.constant(TEXTS), tf.constant(LOGITS), mask), expected(LOGITS, (4, 3, 4, 2)), rtol=1e-4
    )


def test_a_text_that_is_certain_becomes_less_likely():
    texts = tf.constant([[0, 1]])
    logits = tf.Variable(np.array([[[9, 0, 0], [0, 0, 9], [0, 9, 0], [0, 0, 9]]], np.float32))
    before = probability([0, 1], logits.numpy()[0])
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = unlikelihood_loss(texts, logits)
        logits.assign_sub(2.0 * tape.gradient(loss, logits))
    assert before > 0.998 and probability([0, 1], logits.numpy()[0]) < 0.5
