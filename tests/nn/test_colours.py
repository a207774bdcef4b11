"""CIE Lab against OpenCV's, and colours as shares of bins."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn import colours

images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3)).astype(np.uint8)
GRAYS = np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)


def test_lab_is_that_of_opencv_and_of_tables():
    expected = [cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for image in images]
    np.testing.assert_allclose(colours.lab(images), expected, atol=0.4)  # OpenCV interpolates in tables of its own
    primaries = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]])
    known = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(colours.lab(primaries), known, atol=0.02)
    assert colours.lab(primaries).dtype == tf.float32 and colours.lab(primaries.astype(float)).dtype == tf.float64


def test_there_is_a_way_back():
    np.testing.assert_array_equal(colours.rgb(colours.lab(images)), images)
    np.testing.assert_array_equal(colours.rgb([[150.0, 0, 0], [-20.0, 0, 0]]), [[255] * 3, [0] * 3])


def test_gray_keeps_lightness_and_a_tint_keeps_colour():
    np.testing.assert_array_equal(colours.gray(GRAYS), GRAYS)
    np.testing.assert_allclose(colours.colour(GRAYS), 0, atol=1e-6)
    gray = colours.gray(images).numpy()
    assert (gray == gray[..., :1]).all()
    np.testing.assert_allclose(colours.lightness(gray), colours.lightness(images), atol=0.006)
    dull = np.array([[120, 100, 90], [60, 70, 65]], np.uint8)
    np.testing.assert_allclose(colours.lab(colours.tint(dull))[:, 1:], colours.lab(dull)[:, 1:], atol=0.6)


def test_every_colour_lies_between_bins_and_every_bin_beside_a_colour():
    bins = colours.bins()
    assert bins.shape == (309, 2) and [0, 0] in bins.tolist() and (bins % 10 == 0).all()
    assert len(np.unique(bins, axis=0)) == 309
    levels = np.linspace(0, 255, 24)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)
    ab = colours.lab(cube).numpy()[:, 1:]
    known = set(map(tuple, bins))
    for corner in ((0, 0), (0, 10), (10, 0), (10, 10)):
        assert set(map(tuple, np.floor(ab / 10) * 10 + corner)) <= known
    apart = np.abs(bins[:, None] - ab[None]).max(-1).min(1)
    assert apart.max() < 12  # in a finer cube it is less than 10


def test_codes_are_a_gaussian_of_the_five_nearest_and_decode_to_the_colour():
    ab = colours.lab(images)[..., 1:].numpy()
    codes, bins = colours.soft(ab).numpy(), colours.bins()
    assert codes.shape == (2, 48, 48, 309)
    np.testing.assert_allclose(codes.sum(-1), 1, atol=1e-5)
    squares = ((ab[0, 0, :, None].astype(float) - bins) ** 2).sum(-1)
    for code, square in zip(codes[0, 0], squares):
        nearest = np.argsort(square)[:5]
        weights = np.exp(-square[nearest] / 50)
        np.testing.assert_allclose(code[nearest], weights / weights.sum(), atol=1e-4)
        assert np.count_nonzero(code) == 5
    decoded = colours.annealed_mean(np.log(codes + 1e-30), bins)
    assert np.abs(decoded - ab).max() < 10 and np.abs(decoded - ab).mean() < 3


def test_the_annealed_mean_lies_between_mode_and_mean():
    logits = np.log(np.array([[0.5, 0.3, 0.2]], np.float32))
    sharp = np.array([0.5, 0.3, 0.2]) ** (1 / 0.38)
    found = colours.annealed_mean(logits, np.float32([[0], [10], [20]]))
    assert float(found[0, 0]) == pytest.approx((sharp / sharp.sum()) @ [0, 10, 20], rel=1e-5)


def test_rare_bins_weigh_more_and_the_mean_over_the_data_is_one():
    share = np.float32([0.7, 0.2, 0.1, 0])
    found = colours.rebalanced(share, 0.5).numpy()
    weights = 1 / (0.5 * share + 0.5 / 4)
    np.testing.assert_allclose(found, weights / (share @ weights), rtol=1e-5)
    np.testing.assert_allclose(colours.rebalanced(share, 1.0), 1, rtol=1e-5)
    assert found @ share == pytest.approx(1, abs=1e-6) and (np.diff(found) > 0).all()
