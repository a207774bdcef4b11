"""The pairs of Context Prediction."""

import cv2
import numpy as np
import pytest

from seqclr.errors import UserError
from seqclr.transforms.context import NEIGHBOURS, ContextPair, offset_names, part_size


def examples(image, count, **rest):
    transform = ContextPair("none")
    record = {"image": image, "index": np.int32(0), **rest}
    return [transform(record, np.random.default_rng(seed)) for seed in range(count)]


def located(image, patch):
    """Corner (y, x) of a patch in a gray image, and how well it fits."""
    _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(image, patch, cv2.TM_CCOEFF_NORMED))
    return np.array([y, x]), best


@pytest.mark.parametrize("size", [(28, 28), (32, 40), (144, 144)])
def test_patches_lie_as_their_label_says_with_gaps_that_jitter(size):
    image = np.repeat(np.random.default_rng(0).integers(60, 200, (*size, 1)), 3, axis=2).astype(np.uint8)
    side, _ = part_size(*size)
    ways, labels, sharp, total = {}, [], 0, 80
    for example in examples(image, total):
        (first, fit1), (second, fit2) = (located(image, tile) for tile in example["tiles"])
        labels.append(int(example["label"]))
        if min(fit1, fit2) < 0.98:  # one that has come through a lower resolution
            continue
        sharp += 1
        way = second - first
        ways.setdefault(labels[-1], []).append(tuple(way))
        row, column = list(NEIGHBOURS.values())[labels[-1]]
        for moved, step in zip(way, (row - 1, column - 1)):
            assert abs(moved) < side / 2 if step == 0 else moved * step >= side + 1
    assert set(labels) == set(range(8))
    if size == (144, 144):  # 32 pixels, a gap of 16, give or take what the jitter of both may be
        moved = np.abs([way for found in ways.values() for way in found])
        gaps = moved[moved > 16] - side
        assert side == 32 and gaps.min() >= 11 and gaps.max() <= 21 and gaps.mean() == pytest.approx(16, abs=1)
        assert 0.3 < sharp / total < 0.6  # 4 of 9 pairs
        assert max(len(set(found)) for found in ways.values()) > 1
    else:
        assert sharp == total


def test_a_patch_has_no_fringes_and_the_mean_and_contrast_of_the_image():
    rng = np.random.default_rng(0)
    shades = rng.integers(100, 140, (28, 28, 1)) + np.linspace(-30, 30, 28)[:, None]
    tinted = (shades + rng.integers(-8, 8, (28, 28, 3))).astype(np.uint8)
    for example in examples(tinted, 20):
        tiles = example["tiles"].astype(float)
        assert np.abs(tiles @ [-1, 2, -1] - tinted.mean((0, 1)) @ [-1, 2, -1]).max() <= 2  # of rounding
        np.testing.assert_allclose(tiles.mean((1, 2)), np.tile(tinted.mean((0, 1)), (2, 1)), atol=0.5)
        ratio = tiles.var((1, 2)).mean(-1) / tinted.var((0, 1)).mean()
        assert (ratio > 0.7).all() and (ratio < 1.05).all()  # flat parts stay flat
    gray = np.repeat(shades, 3, axis=2).astype(np.uint8)
    for example in examples(gray, 20):
        for patch in example["tiles"].astype(int):
            (y, x), _ = located(gray, patch.astype(np.uint8))
            own = gray[y : y + 8, x : x + 8].astype(float)
            scale = patch.std() / own.std()
            assert np.ptp(patch - scale * own) <= 2 + scale  # only lighter or darker, and of another contrast


def strips(count):
    """A line of slices 16 wide, each with a block that is 2 rows higher than that before it."""
    image = np.full((16, 16 * count, 3), 255, np.uint8)
    for i in range(count):
        image[1 : 3 + 2 * i, 16 * i + 3 : 16 * i + 13] = 0
    return image


@pytest.mark.parametrize(
    ("count", "width", "offsets"), [(5, 80, {-2, -1, 1, 2}), (5, 40, {-1, 1}), (3, 48, {-2, -1, 1, 2})]
)
def test_slices_of_a_line_lie_as_their_label_says(count, width, offsets):
    """Of a padded line too, which is cut into as many slices as squares fit into it."""
    image = strips(count)
    image[:, width:] = 255
    seen = set()
    for example in examples(image, 40, width=np.int32(width)):
        assert example["tiles"].shape == (2, 16, 16, 3)
        first, second = ((tile < 100).any((1, 2)).sum() for tile in example["tiles"])
        offset = [-2, -1, 1, 2][example["label"]]
        seen.add(offset)
        if width == 16 * count:
            assert second - first == 2 * offset
        else:
            assert (second - first) * offset > 0
    assert seen == offsets


def test_sizes_have_as_many_positions_as_they_allow():
    assert len(offset_names(32, 32)) == 8 and len(offset_names(32, 64)) == 8
    assert offset_names(32, 128) == ["2 to the left", "1 to the left", "1 to the right", "2 to the right"]
    assert offset_names(32, 70) == ["1 to the left", "1 to the right"]
    with pytest.raises(UserError, match="height 24 and width 32: 3x3 patches of 8 pixels and gaps need at least 27"):
        part_size(24, 32)
