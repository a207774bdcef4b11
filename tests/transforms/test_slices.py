"""Slices of lines."""

import cv2
import numpy as np
import pytest

from seqclr.transforms.slices import REACH, cuts, slices

INK, WIDTH = 40, 160


def page(seed, widest=24, ground=None):
    """Outlines of many widths, some bars of full height, with gaps of 1 to 6 columns; and which columns have ink."""
    rng = np.random.default_rng(seed)
    image = np.full((32, WIDTH, 3), 230, np.uint8) if ground is None else ground.copy()
    clear = image.copy()
    inked, x = np.zeros(WIDTH, bool), int(rng.integers(1, 8))
    while x < WIDTH - widest:
        bar = rng.random() < 0.2
        glyph = 4 if bar else int(rng.integers(3, widest + 1))
        top, bottom = (0, 32) if bar else (rng.integers(1, 12), rng.integers(20, 31))
        image[top:bottom, x : x + glyph] = INK
        hole = np.s_[top + 3 : bottom - 3, x + 2 : x + glyph - 2]
        image[hole] = clear[hole]
        inked[x : x + glyph] = True
        x += glyph + int(rng.integers(1, 7))
    return image, inked


def grounds():
    ramp = np.linspace(120, 250, WIDTH)[None, :, None] * np.ones((32, 1, 3))
    lined = np.full((32, WIDTH, 3), 230)
    lined[20] = 90  # a rule through the whole line
    noisy = np.random.default_rng(0).integers(215, 245, (32, WIDTH, 3))
    return {"plain": None, **{k: v.astype(np.uint8) for k, v in dict(ramp=ramp, lined=lined, noisy=noisy).items()}}


@pytest.mark.parametrize("ground", ["plain", "ramp", "lined", "noisy"])
def test_no_cut_goes_through_ink_where_a_gap_is_in_reach(ground):
    for seed in range(40):
        image, inked = page(seed, ground=grounds()[ground])
        for count in (2, 3, 4, 5):
            found = cuts(image, count)
            assert found[0] == 0 and found[-1] == WIDTH and (np.diff(found) > 0).all()
            share = WIDTH / count
            assert (np.abs(found[1:-1] - share * np.arange(1, count)) <= REACH * share + 1).all()
            for cut in found[1:-1]:
                assert not (inked[cut - 1] and inked[cut]), (seed, count, cut)


def test_an_empty_image_is_cut_into_equal_parts():
    assert cuts(np.full((8, 40, 3), 255, np.uint8), 4).tolist() == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_cuts_rise_however_narrow_the_line_is(count):
    noise = np.random.default_rng(0).integers(0, 256, (8, 40, 3)).astype(np.uint8)
    for width in range(count, 41):
        found = cuts(noise[:, :width], count)
        assert len(found) == count + 1 and found[0] == 0 and found[-1] == width and (np.diff(found) > 0).all()


def test_where_all_is_ink_a_cut_takes_the_least():
    image = np.full((32, 80, 3), 255, np.uint8)
    image[10:22] = np.random.default_rng(0).integers(0, 60, (12, 80, 3))
    image[:, 36:38] = 255
    image[16, 36:38] = 0  # a hair-line joins the two halves
    assert cuts(image, 2)[1] == 38


def test_slices_side_by_side_are_the_image_and_mirror_nothing():
    image, _ = page(3)
    edges = cuts(image, 4)
    whole = np.concatenate([image[:, a:b] for a, b in zip(edges, edges[1:])], axis=1)
    np.testing.assert_array_equal(whole, image)
    rows = slices({"image": image, "index": 0}, 4, 40)
    for row, a, b in zip(rows, edges, edges[1:]):
        back = cv2.resize(row, (int(b - a), 32), interpolation=cv2.INTER_LINEAR).astype(float)
        kept, mirrored = (np.abs(back - x).mean() for x in (image[:, a:b], image[:, a:b][:, ::-1]))
        assert kept < 0.5 * mirrored
    plain = np.random.default_rng(0).integers(200, 256, (16, 80, 3)).astype(np.uint8)
    plain[:, 19:61:20] = plain[:, 20:62:20] = 228  # cuts are at equal division: nothing is resized
    np.testing.assert_array_equal(np.concatenate(slices({"image": plain}, 4, 20), axis=1), plain)


def test_padding_is_in_no_slice_and_one_column_is_enough():
    image, _ = page(5)
    padded = image.copy()
    padded[:, 90:] = 255
    expected = slices({"image": image[:, :90]}, 3, 30)
    np.testing.assert_array_equal(slices({"image": padded, "width": np.int32(90)}, 3, 30), expected)
    assert (slices({"image": image, "width": np.int32(1)}, 4, 8) == image[:, :1]).all()
