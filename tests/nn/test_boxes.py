"""Boxes of characters as targets of frames."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn.boxes import box_loss, box_targets

BOXES = np.float32([[[3, 2, 13, 12], [11, 4, 25, 16], [-1, -1, -1, -1]], [[-1] * 4] * 3])


def test_a_frame_tells_the_nearest_box_over_its_middle():
    present, place = box_targets(BOXES, frames=8, stride=4, height=16)
    np.testing.assert_array_equal(present, [[0, 1, 1, 1, 1, 1, 0, 0], [0] * 8])  # middles at 2, 6, 10, ...
    expected = {1: (2, 7, 10, 10), 2: (-2, 7, 10, 10), 3: (4, 10, 14, 12), 4: (0, 10, 14, 12), 5: (-4, 10, 14, 12)}
    for frame in range(8):
        np.testing.assert_allclose(place[0, frame], np.float32(expected.get(frame, (0, 0, 0, 0))) / 16)


@pytest.mark.parametrize("padded", [False, True])
def test_the_loss_is_of_frames_that_show_something(padded):
    rng = np.random.default_rng(0)
    said = rng.normal(size=(2, 8, 5)).astype(np.float32)
    mask = np.arange(8) < np.array([[5], [3]]) if padded else np.ones((2, 8), bool)
    present, place = (x.numpy() for x in box_targets(BOXES, 8, 4, 16))
    p = 1 / (1 + np.exp(-said[..., 0]))
    unsure, errors = -np.log(np.where(present == 1, p, 1 - p)), np.abs(said[..., 1:] - place).mean(-1)
    presence = np.mean([row[shown].mean() for row, shown in zip(unsure, mask)])
    errors = errors[0, (present[0] == 1) & mask[0]].mean() / 2  # the other page has no character
    found = box_loss(tf.constant(said), BOXES, tf.constant(mask) if padded else None, 4, 16)
    assert float(found) == pytest.approx(presence + errors, rel=1e-4)
