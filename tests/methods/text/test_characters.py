"""Alignment of characters with frames, their contrast between images, and consistency of frames."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from seqclr.methods.text.characters import align, character_contrast
from seqclr.methods.text.consistency import frame_consistency

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(3, 5, 4)).astype(np.float32)  # three characters and the blank
TEXTS = np.array([[0, 1, 2], [2, 2, -1], [1, -1, -1]], np.int32)
MASK = np.arange(5) < np.array([[5], [4], [2]])


def posterior(text, probabilities):
    """By the sum over all paths that show each character of the text in one piece, with blanks between or not."""
    count, total = len(text), 0.0
    found = np.zeros((count, len(probabilities)))
    for path in itertools.product(range(count + 1), repeat=len(probabilities)):  # positions, the last for the blank
        if [position for position, _ in itertools.groupby(path) if position < count] == list(range(count)):
            chance = np.prod([row[[*text, -1][position]] for row, position in zip(probabilities, path)])
            total += chance
            for frame, position in enumerate(path):
                if position < count:
                    found[position, frame] += chance
    return found / total


@pytest.mark.parametrize("mask", [None, MASK])
def test_alignment_is_the_posterior_of_all_paths(mask):
    found = align(tf.constant(LOGITS), tf.constant(TEXTS), None if mask is None else tf.constant(mask)).numpy()
    for row, text in enumerate(TEXTS):
        text, frames = text[text >= 0], 5 if mask is None else mask[row].sum()
        expected = posterior(text, tf.nn.softmax(LOGITS[row, :frames]).numpy())
        np.testing.assert_allclose(found[row, : len(text), :frames], expected, atol=1e-5)
        assert (found[row, len(text) :] == 0).all() and (found[row, :, frames:] == 0).all()


def test_characters_of_the_used_texts_are_contrasted():
    rows = RNG.normal(size=(3, 5, 6)).astype(np.float32)
    weights = align(tf.constant(LOGITS), tf.constant(TEXTS), tf.constant(MASK)).numpy()
    pooled, labels = [], []
    for image in (0, 1):  # the third is not used
        for share, label in zip(weights[image], TEXTS[image]):
            if label >= 0:
                pooled.append(share @ rows[image] / share.sum())
                labels.append(label)
    expected = losses.sup_con(np.array(pooled), np.array(labels), 0.2)
    used = tf.constant([True, True, False])
    with tf.GradientTape(persistent=True) as tape:
        logits, z = tf.constant(LOGITS), tf.constant(rows)
        tape.watch([logits, z])
        found = character_contrast(z, logits, tf.constant(TEXTS), used, tf.constant(MASK), 0.2)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
    assert tape.gradient(found, logits) is None and np.abs(tape.gradient(found, z)[:2]).max() > 0.01


def test_nothing_to_contrast_costs_nothing():
    empty = tf.constant([[-1, -1, -1]] * 3)
    for texts, used in ((empty, [True] * 3), (tf.constant(TEXTS), [False] * 3)):
        assert float(character_contrast(tf.constant(LOGITS), tf.constant(LOGITS), texts, tf.constant(used))) == 0


def test_frames_are_compared_at_the_same_strip_of_the_image():
    """A view that shows the image two of five frames further left, and twice that outside."""
    still, moved = np.float32([1, 0, 1, 0]), np.float32([1, -0.4, 1, 0])
    geometry = tf.constant(np.stack([np.stack([still, moved])] * 3))
    shifted = np.roll(LOGITS, -2, axis=1)
    target = tf.nn.softmax(LOGITS[:, 2:]).numpy()
    entropy = -np.mean(np.sum(target * np.log(target), axis=-1))
    with tf.GradientTape(persistent=True) as tape:
        teacher, student = tf.constant(LOGITS), tf.constant(shifted)
        tape.watch([teacher, student])
        found = frame_consistency(teacher, student, geometry)
    assert float(found) == pytest.approx(entropy, rel=1e-4)
    assert tape.gradient(found, teacher) is None
    np.testing.assert_allclose(tape.gradient(found, student), 0, atol=1e-5)  # the minimum
    assert float(frame_consistency(teacher, teacher, geometry)) > entropy + 0.1
