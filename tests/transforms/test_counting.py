"""An image as a whole and in parts."""

import numpy as np
import pytest

from seqclr.errors import UserError
from seqclr.transforms.counting import WholeAndParts, part_size
from seqclr.transforms.slices import slices


def tiles(image, seed, **rest):
    record = {"image": image, "index": np.int32(0), **rest}
    return WholeAndParts("none")(record, np.random.default_rng(seed))["tiles"].astype(int)


def test_quarters_put_together_are_the_image_and_the_whole_is_half_of_it():
    smooth = np.add.outer(np.arange(29) * 4, np.arange(33) * 3)
    image = np.stack([smooth, 220 - smooth, smooth // 2], -1).astype(np.uint8)
    gray, wholes = 0, set()
    for seed in range(40):
        whole, *parts = tiles(image, seed)
        together = np.concatenate([np.concatenate(parts[:2], 1), np.concatenate(parts[2:], 1)])
        is_gray = (np.ptp(whole, axis=-1) == 0).all()
        gray += is_gray
        if not is_gray:
            np.testing.assert_array_equal(together, image[:28, :32])
        mean = together.reshape(14, 2, 16, 2, 3).mean((1, 3))
        assert np.abs(whole - mean)[2:-2, 2:-2].max() <= 2
        wholes.add(whole.tobytes())
    assert 18 < gray < 35 and len(wholes) > 4


def test_a_line_is_squeezed_and_its_halves_are_slices():
    image = np.full((16, 80, 3), 255, np.uint8)
    image[4:12, 5:55] = np.random.default_rng(0).integers(0, 50, (8, 50, 3))
    image[:, 33:36] = 255
    whole, *halves = tiles(image, 0, width=np.int32(60))
    np.testing.assert_array_equal(halves, slices({"image": image[:, :60]}, 2, 40))
    assert whole.shape == (16, 40, 3)
    ink = [(part < 150).any((0, 2)) for part in halves]
    assert not ink[0][-1] and not ink[1][0]
    assert (whole[6:10, 6:20] < 150).all() and (whole[:, :2] > 200).all()


def test_images_without_halves_are_refused():
    with pytest.raises(UserError, match="height 15 and width 28: halves need at least 8 pixels, so take 16"):
        part_size(15, 28)
    assert part_size(15, 40) == (15, 20)
