"""Lightness and colour apart: neither tells of the other."""

import numpy as np

from seqclr.recipes.colour import LightAndColour, apart, is_gray

page = np.random.default_rng(0).integers(0, 256, (16, 64, 3)).astype(np.uint8)


def test_gray_has_lightness_alone():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    light, colour = apart(gray)
    assert is_gray(gray) and (colour == 128).all()
    assert (np.diff(light[..., 0].ravel().astype(int)) >= 0).all() and (light == light[..., :1]).all()


def test_red_and_green_of_the_same_lightness_differ_in_colour_alone():
    red, green = np.full((2, 2, 3), (255, 0, 0), np.uint8), np.full((2, 2, 3), (0, 139, 0), np.uint8)
    (light, colour), (same, other) = apart(red), apart(green)
    assert abs(int(light[0, 0, 0]) - int(same[0, 0, 0])) < 12 and colour[0, 0, 0] > 190 and other[0, 0, 0] < 90
    assert is_gray(red) and not is_gray(np.concatenate([red, green]))


def test_both_are_of_one_view_and_padding_stays():
    record = {"image": page, "index": np.int32(3), "width": np.int32(40)}
    example = LightAndColour("roaming")(record, np.random.default_rng(0))
    assert example["views"].shape == (2, 16, 64, 3) and example["views"].dtype == np.uint8
    assert (example["geometry"][0] == example["geometry"][1]).all() and example["geometry"].shape == (2, 4)
    assert (example["index"], example["width"]) == (3, 40)
    np.testing.assert_array_equal(example["views"][:, :, 40:], apart(page)[:, :, 40:])
    np.testing.assert_array_equal(LightAndColour("none")(record, np.random.default_rng(0))["views"], apart(page))
