"""Lines with their inversion over them."""

import numpy as np
import pytest

from seqclr.transforms.superimposed import INVERSIONS, SuperimposedViews, inverted_geometry

IMAGE = np.random.default_rng(0).integers(0, 256, (8, 24, 3)).astype(np.uint8)


@pytest.mark.parametrize("width", [None, 16])
def test_a_view_is_the_mean_of_the_line_and_its_inversion(width):
    """The padding stays, and is in neither."""
    record = {"image": IMAGE, "index": np.int32(3), **({} if width is None else {"width": np.int32(width)})}
    seen = set()
    for seed in range(12):
        example = SuperimposedViews("none")(record, np.random.default_rng(seed))
        rows, columns = list(INVERSIONS.values())[example["inversion"]]
        inversion = IMAGE.copy()
        inversion[:, :width] = inversion[:: -1 if rows else 1, :width][:, :: -1 if columns else 1]
        mean = np.floor((IMAGE.astype(float) + inversion + 1) / 2)
        np.testing.assert_array_equal(example["views"], [mean, mean])
        gray = [image.mean(-1).round() for image in (IMAGE, inversion)]
        np.testing.assert_allclose(example["originals"], gray, atol=1)
        seen.add(int(example["inversion"]))
    assert seen == {0, 1, 2}


def test_the_geometry_of_an_inversion_finds_what_it_shows():
    """x of a view of the image at 0.3: mirrored within a line that fills three quarters of the canvas."""
    geometry = np.float32([0.8, 0.1, 1.0, 0.0])
    fx, ox, fy, oy = inverted_geometry(geometry, 0.75, False, True)
    assert fx * 0.3 + ox == pytest.approx(0.75 - (0.8 * 0.3 + 0.1)) and (fy, oy) == (1, 0)
    fx, ox, fy, oy = inverted_geometry(geometry, 0.75, True, False)
    assert fy * 0.3 + oy == pytest.approx(1 - 0.3) and (fx, ox) == pytest.approx((0.8, 0.1))
