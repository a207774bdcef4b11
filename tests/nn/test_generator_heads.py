"""The alignment of generated images: which character every frame shows, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn.generator_heads import alignment_loss, frame_classes


def box(left, right):
    return [left, 2.0, right, 9.0]


def test_the_middle_half_of_a_box_shows_its_character():
    labels = tf.constant([[5, 7, -1], [3, -1, -1], [1, 2, -1]])
    boxes = tf.constant(
        [[box(0, 16), box(16, 24)], [box(8, 9), [-1.0] * 4], [box(0, 8), [-1.0] * 4]]
    )  # the last image has two ids for one box
    found = frame_classes(labels, boxes, frames=8, stride=4)
    assert found.numpy().tolist() == [
        [-1, 5, 5, -1, 7, 7, -1, -1],
        [-1, -1, 3, -1, -1, -1, -1, -1],
        [-2] * 8,
    ]


def test_the_loss_is_the_cross_entropy_with_the_blank_between():
    logits = np.random.default_rng(0).normal(size=(1, 3, 4)).astype(np.float32)
    log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -(log[0, 0, 3] + log[0, 1, 2] + log[0, 2, 0]) / 3
    assert float(alignment_loss(tf.constant(logits), tf.constant([[-1, 2, 0]]))) == pytest.approx(expected, rel=1e-5)
    both = np.concatenate([logits, 9 * logits])
    classes = tf.constant([[-1, 2, 0], [-2, -2, -2]])  # the second is unknown
    assert float(alignment_loss(tf.constant(both), classes)) == pytest.approx(expected, rel=1e-5)
    mask = tf.constant([[True, True, False]])
    expected = -(log[0, 0, 3] + log[0, 1, 2]) / 2
    assert float(alignment_loss(tf.constant(logits), classes[:1], mask)) == pytest.approx(expected, rel=1e-5)
