"""Pages of every look: the text is on them, and nothing but the generator's state decides."""

import string

import numpy as np
import pytest

from seqclr.data import variety
from seqclr.errors import UserError

CHARACTERS = string.digits + string.ascii_letters


def test_a_page_depends_on_the_generator_alone():
    first, again, other = (variety.draw(CHARACTERS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first[1] == again[1] and np.array_equal(first[0], again[0])
    assert first[1] != other[1]


def test_pages_differ_in_what_sites_differ_in():
    styles = [variety.any_style(CHARACTERS, np.random.default_rng(seed)) for seed in range(200)]
    for name, least in (("fonts", 15), ("background", 4), ("length", 5), ("text_colours", 150), ("height", 12)):
        assert len({str(getattr(style, name)) for style in styles}) >= least, name
    shapes = [style.width[0] / style.height[0] for style in styles]
    assert min(shapes) < 2.5 and max(shapes) > 5


def test_every_style_can_be_drawn_and_shows_something():
    rng = np.random.default_rng(0)
    for _ in range(60):
        page, text = variety.draw("ab7", rng)
        assert variety.MIN_LENGTH <= len(text) <= variety.MAX_LENGTH and set(text) <= set("ab7")
        assert np.asarray(page).std() > 2


def test_no_font_has_other_shapes_in_the_place_of_letters():
    fonts = variety.text_fonts(CHARACTERS)
    assert len(fonts) >= 20 and not variety.SYMBOLS & set(fonts)
    with pytest.raises(UserError, match="no bundled font"):
        variety.text_fonts("中")
