"""Frames to instances."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.nn import frames

x = np.random.default_rng(0).normal(size=(3, 32, 4)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 4, 5, 31, 32, 33])
def test_windows_of_five_are_those_of_average_pooling(count):
    line = np.random.default_rng(1).normal(size=(2, count, 4)).astype(np.float32)
    pooled, valid = frames.pool(tf.constant(line), "frames:5")
    expected = keras.layers.AveragePooling1D(5, 5, padding="same")(line)
    assert valid is None and pooled.shape[1] == -(-count // 5)
    np.testing.assert_allclose(pooled, expected, atol=1e-6)


def test_all_none_and_windows():
    np.testing.assert_allclose(frames.pool(tf.constant(x), "all")[0][:, 0], x.mean(1), atol=1e-6)
    np.testing.assert_allclose(frames.pool(tf.constant(x), "none")[0], x, atol=1e-6)
    four = frames.pool(tf.constant(x), "windows:4")[0]
    np.testing.assert_allclose(four, x.reshape(3, 4, 8, 4).mean(2), atol=1e-6)


def test_more_windows_than_frames_still_hold_a_frame_each():
    assert frames.windows("windows:7", 3).sum(axis=1).min() == 1


@pytest.mark.parametrize("kind", ["frames:5", "windows:4", "all", "none"])
def test_padding_does_not_count(kind):
    mask = np.arange(32)[None] < np.array([[32], [17], [3]])
    spoilt = np.where(mask[..., None], x, 1e3).astype(np.float32)
    clean, valid = frames.pool(tf.constant(x * mask[..., None]), kind, tf.constant(mask))
    dirty, _ = frames.pool(tf.constant(spoilt) * tf.cast(mask, tf.float32)[..., None], kind, tf.constant(mask))
    np.testing.assert_allclose(clean, dirty, atol=1e-6)
    for i, length in enumerate((32, 17, 3)):
        windows = frames.windows(kind, length)  # of the line alone
        assert valid[i].numpy().tolist() == [True] * len(windows) + [False] * (len(valid[i]) - len(windows))
        for row, inside in zip(clean[i], windows > 0):
            np.testing.assert_allclose(row, x[i, :length][inside].mean(0), atol=1e-5)


@pytest.mark.parametrize("kind", ["frames", "frames:0", "windows:", "five", "frames:-1"])
def test_unknown_kinds_are_refused(kind):
    with pytest.raises(UserError, match="frames"):
        frames.check_frames(kind)


def test_windows_of_the_image_are_found_in_a_shifted_scaled_or_mirrored_view():
    """A frame whose feature is the place on the page that it shows: windows give their own middle in any view."""
    geometry = np.array([[1, 0, 1, 0], [0.8, 0.1, 1, 0], [1.25, -0.2, 1, 0], [-0.8, 0.9, 1, 0]], np.float32)
    middle = (np.arange(32, dtype=np.float32) + 0.5) / 32
    shown = ((middle[None] - geometry[:, 1:2]) / geometry[:, :1])[..., None]  # the place on the page, per frame
    pooled, valid = frames.pool(tf.constant(shown), "windows:8", None, tf.constant(geometry))
    expected = (np.arange(8) + 0.5) / 8
    assert valid[:2].numpy().all() and valid[3].numpy().all() and valid[2].numpy().tolist() == [False] + 7 * [True]
    for row, keep in zip(pooled[..., 0].numpy(), valid.numpy()):
        np.testing.assert_allclose(row[keep][1:-1], expected[keep][1:-1], atol=0.005)


@pytest.mark.parametrize("kind", ["frames:5", "windows:4", "all", "none"])
def test_a_view_at_its_position_gives_the_windows_of_the_view(kind):
    still = tf.tile(tf.constant([[1.0, 0.0, 1.0, 0.0]]), [3, 1])
    np.testing.assert_allclose(frames.pool(x, kind, None, still)[0], frames.pool(x, kind)[0], atol=1e-5)
    mask = tf.constant(np.arange(32)[None] < np.array([[32], [17], [3]]))
    matched, valid = frames.pool(x, kind, mask, still)
    plain, _ = frames.pool(x * tf.cast(mask, tf.float32)[..., None], kind, mask)
    np.testing.assert_allclose(matched[valid], plain[valid], atol=1e-5)


def test_a_small_view_has_the_windows_of_the_image_that_it_shows():
    """The right half of a page of 32 frames: its features are the places on the page."""
    half = tf.constant(((np.arange(16, dtype=np.float32) + 0.5) / 32 + 0.5)[None, :, None])
    pooled, valid = frames.pool(half, "windows:8", None, tf.constant([[2.0, -1.0, 1.0, 0.0]]), image_frames=32)
    assert valid[0].numpy().tolist() == 4 * [False] + 4 * [True]
    np.testing.assert_allclose(pooled[0, 4:, 0], (np.arange(4, 8) + 0.5) / 8, atol=1e-5)


def test_spans_that_are_the_windows_give_their_means():
    """In a view that scales and shifts; an empty span shows nothing, nor does one outside the view."""
    geometry = np.tile(np.float32([0.8, 0.1, 1, 0]), (3, 1))
    edges = np.arange(5) / 4
    spans = np.tile(np.stack([edges[:-1], edges[1:]], 1), (3, 1, 1)).astype(np.float32)
    spans = np.concatenate([spans, np.float32(3 * [[[0.5, 0.5], [1.2, 1.4]]])], axis=1)
    found, visible = frames.pool_spans(tf.constant(x), spans, None, geometry)
    expected, _ = frames.pool(tf.constant(x), "windows:4", None, geometry)
    np.testing.assert_allclose(found[:, :4], expected, atol=1e-6)
    assert visible.numpy().tolist() == 3 * [[True] * 4 + [False] * 2]


def test_parents_are_the_windows_around():
    filled = np.array([8, 4], np.int32)
    parents = frames.parents("none", "windows:2", 8, filled).numpy()
    assert parents.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1, 1]]  # the second is padded to 8
    assert frames.parents("windows:2", "all", 8, filled).numpy().tolist() == [[0, 0], [0, 0]]
    of_five = frames.parents("frames:5", "windows:4", 26, np.array([26], np.int32))
    assert of_five.numpy().tolist() == [[0, 0, 1, 2, 3, 3]]  # their middles are at 1.5, 5.5, 10.5, ..., 24.5 of 26
