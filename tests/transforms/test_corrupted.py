"""What is left of an image, and what is not."""

import numpy as np
import pytest

from seqclr.transforms.corrupted import CoarseImage, ImageWithHole, MaskedPatches, NoisyImage

rng = np.random.default_rng(0)
LINE, PICTURE = (16, 80), (28, 24)


def record(size, width=None):
    image = rng.integers(1, 256, (*size, 3)).astype(np.uint8)
    return {"image": image, "index": np.int32(3), **({"width": np.int32(width)} if width else {})}


@pytest.mark.parametrize("width", [None, 40])
def test_masking_blackens_whole_pixels_and_gaussian_changes_all_by_its_deviation(width):
    given = record(LINE, width)
    masked = NoisyImage("none", "masking", 0.3)(given, np.random.default_rng(1))
    inside = np.zeros(LINE, bool)
    inside[:, :width] = True
    black = (masked["input"] == 0).all(-1)
    assert black[inside].mean() == pytest.approx(0.3, abs=0.05)
    np.testing.assert_array_equal(masked["input"][~black], masked["image"][~black])
    np.testing.assert_array_equal(masked["image"], given["image"])
    given["image"][:] = 128
    noisy = NoisyImage("none", "gaussian", 0.1)(given, np.random.default_rng(1))["input"].astype(float)
    assert noisy[inside].std() == pytest.approx(25.5, rel=0.05) and (noisy[~inside] == 128).all()
    assert not black[~inside].any()


@pytest.mark.parametrize("place", ["centre", "random"])
@pytest.mark.parametrize(
    ("size", "width", "block"), [(PICTURE, None, (14, 12)), (LINE, None, (16, 16)), (LINE, 20, (16, 10))]
)
def test_the_hole_shows_nothing_of_what_it_hides(size, width, block, place):
    """Half of the sides of a picture, a strip as wide as high of a line; its rim is visible."""
    given = record(size, width)
    transform = ImageWithHole("none", place, rim=2)
    example = transform(given, np.random.default_rng(5))
    rows, columns = (np.flatnonzero(example["block"].any(axis)) for axis in (1, 0))
    assert (len(rows), len(columns)) == block and example["block"].sum() == len(rows) * len(columns)
    inner = example["hidden"][:, columns[2] : columns[-1] - 1][rows[2 if size == PICTURE else 0] :]
    assert example["hidden"].sum() == (block[0] - (4 if size == PICTURE else 0)) * (block[1] - 4) == inner.sum()
    np.testing.assert_array_equal(example["input"][~example["hidden"]], given["image"][~example["hidden"]])
    left = ~example["hidden"][:, : width or size[1]]
    mean = given["image"][:, : width or size[1]][left].mean(0)
    np.testing.assert_allclose(example["input"][example["hidden"]], np.tile(mean, (inner.sum(), 1)), atol=0.5)
    other = {**given, "image": np.where(example["hidden"][..., None], 255 - given["image"], given["image"])}
    np.testing.assert_array_equal(transform(other, np.random.default_rng(5))["input"], example["input"])
    if place == "centre":
        assert abs(columns.mean() - ((width or size[1]) - 1) / 2) <= 0.5
        assert abs(rows.mean() - (size[0] - 1) / 2) <= 0.5
    else:
        places = {transform(given, np.random.default_rng(i))["block"].tobytes() for i in range(5)}
        assert len(places) > 2


@pytest.mark.parametrize("width", [None, 40])
def test_what_is_coarse_does_not_depend_on_detail(width):
    """A pattern whose mean is 0 in every square of 4 pixels changes nothing; a ramp comes through."""
    given = record(LINE, width)
    given["image"] = (given["image"] // 2 + 60).astype(np.uint8)
    transform = CoarseImage("none", 4)
    shown = transform(given, rng)["input"]
    pattern = 20 * (np.indices(LINE).sum(0) % 2 * 2 - 1)[..., None]
    other = {**given, "image": (given["image"].astype(int) + pattern).astype(np.uint8)}
    filled = width or LINE[1]
    np.testing.assert_array_equal(transform(other, rng)["input"][:, :filled], shown[:, :filled])
    np.testing.assert_array_equal(shown[:, filled:], given["image"][:, filled:])
    given["image"][:] = 3 * np.arange(LINE[1])[:, None]
    inside = slice(8, filled - 8)
    np.testing.assert_allclose(transform(given, rng)["input"][:, inside], given["image"][:, inside], atol=1)


def test_always_as_many_patches_are_hidden_but_others():
    transform = MaskedPatches("none", 0.75)
    masks = np.stack([transform(record(PICTURE), np.random.default_rng(i))["hidden"] for i in range(200)])
    assert masks.shape == (200, 42) and (masks.sum(1) == 32).all()
    np.testing.assert_allclose(masks.mean(0), 32 / 42, atol=0.12)
    for masked, count in ((0.001, 1), (0.999, 41)):
        assert MaskedPatches("none", masked)(record(PICTURE), rng)["hidden"].sum() == count
    assert len(transform(record((80, 64)), rng)["hidden"]) == 20
