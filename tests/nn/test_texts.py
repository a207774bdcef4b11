"""Texts as code points, their encoder, and the pooling of frames."""

import keras
import numpy as np
import pytest

from seqclr.nn.texts import AttentionPool, CharacterTransformer, code_points


def test_code_points_are_cut_and_filled():
    np.testing.assert_array_equal(code_points(["ab", "", "äbcd"], 3), [[97, 98, 0], [0, 0, 0], [228, 98, 99]])
    assert code_points([], 3).shape == (0, 1)


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return CharacterTransformer([97, 98, 228], dim=16, depth=1)


def test_a_text_does_not_depend_on_what_fills_the_row(encoder):
    short, long = (encoder(code_points(["ba", "b" * n], 9))[0] for n in (2, 9))
    np.testing.assert_allclose(short, long, atol=1e-5)


def test_the_order_of_characters_counts_and_unknown_ones_are_alike(encoder):
    np.testing.assert_array_equal(encoder.ids(code_points(["aäbx"], 4)), [[0, 2, 4, 3, 1]])
    ab, ba, ax, ay = encoder(code_points(["ab", "ba", "ax", "ay"], 2)).numpy()
    assert np.abs(ab - ba).max() > 0.01 and np.abs(ab - ax).max() > 0.01
    np.testing.assert_allclose(ax, ay, atol=1e-6)


def test_pooling_sees_positions_and_no_padding():
    keras.utils.set_random_seed(0)
    pool, frames = AttentionPool(8), np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
    assert np.abs(pool(frames) - pool(frames[:, ::-1])).max() > 0.01
    valid = np.array([[True] * 3 + [False] * 2] * 2)
    longer = frames + 9 * ~valid[..., None]
    np.testing.assert_allclose(pool(longer, valid), pool(frames[:, :3]), atol=1e-5)
