"""Characters by their ink."""

import cv2
import numpy as np
import pytest

from seqclr.transforms.characters import CharacterViews, character_spans

HEIGHT, WIDTH, AT = 32, 160, (8, 40, 72, 104, 132)


def line(ink, paper, letters="HiTXB"):
    """Five letters of a line, `i` with a dot, on paper that gets darker to the right."""
    image = np.repeat(np.linspace(*paper, WIDTH)[None, :, None], HEIGHT, 0).repeat(3, 2).astype(np.uint8)
    for letter, x in zip(letters, AT):
        cv2.putText(image, letter, (x, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, 3)
    return image


@pytest.mark.parametrize(
    ("ink", "paper"), [((0, 0, 0), (250, 150)), ((255, 255, 255), (120, 20)), ((90, 20, 20), (130, 130))]
)
def test_dark_light_and_coloured_letters_are_found_on_any_paper(ink, paper):
    spans = character_spans(line(ink, paper))
    assert len(spans) == 5
    for (first, last), x in zip(spans, AT):
        assert x - 4 <= first < last <= x + 26


def test_letters_that_touch_are_cut_and_thin_lines_and_dots_are_no_ink():
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for x in (20, 44):
        cv2.rectangle(image, (x, 6), (x + 16, 26), (0, 0, 0), 4)
    image[20:23, 36:46] = 0  # a bridge between both
    cv2.line(image, (80, 16), (159, 16), (0, 0, 0), 1)
    image[4, 100] = image[28, 120] = 0
    (first, cut), (again, last) = character_spans(image)
    assert cut == again and 38 <= cut <= 43 and abs(first - 20) < 4 and abs(last - 61) < 4


def test_an_empty_line_has_no_characters_and_of_many_a_part_is_used():
    record = {"image": np.full((HEIGHT, WIDTH, 3), 200, np.uint8), "index": np.int32(0)}
    assert not CharacterViews("none", 3)(record, np.random.default_rng(0))["characters"].any()
    record["image"] = line((0, 0, 0), (250, 250))
    every = character_spans(record["image"]) / np.float32(WIDTH)
    some = CharacterViews("none", 3)(record, np.random.default_rng(0))["characters"]
    assert (np.diff(some[:, 0]) > 0).all() and all(any(np.allclose(span, one) for one in every) for span in some)
    padded = {**record, "image": np.pad(record["image"], ((0, 0), (0, WIDTH), (0, 0))), "width": np.int32(WIDTH)}
    half = CharacterViews("none", 5)(padded, np.random.default_rng(0))["characters"]
    np.testing.assert_allclose(half, every / 2, atol=1e-6)
