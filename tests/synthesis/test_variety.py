"""Pages of every look: the text is on them, and nothing but the generator's state decides."""

import string

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from seqclr.errors import UserError
from seqclr.synthesis import drawing, variety

CHARACTERS = string.digits + string.ascii_letters
TEXTS = variety.Texts(CHARACTERS)
KNOWN_TEXTS = ["5Cz", "5dR", "gTjPrnG", "9dHNiCS"]  # of the first seeds
KNOWN_FONTS = ["DejaVuSansMono-BoldOblique", "DroidSansMono", "DejaVuSerif-Bold", "DejaVuSans-Oblique"]
KNOWN_SIZES = [(108, 27), (91, 30), (154, 33), (92, 21)]


def test_an_image_depends_on_the_generator_alone():
    first, again, other = (variety.draw(TEXTS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first[1] == again[1] and np.array_equal(first[0], again[0])
    assert first[1] != other[1]


def test_images_differ_in_what_sites_differ_in():
    styles = [variety.any_style(TEXTS, np.random.default_rng(seed)) for seed in range(200)]
    for name, least in (("fonts", 15), ("background", 4), ("length", 5), ("text_colours", 150), ("height", 12)):
        assert len({str(getattr(style, name)) for style in styles}) >= least, name
    shapes = [style.width[0] / style.height[0] for style in styles]
    assert min(shapes) < 2.5 and max(shapes) > 5


def test_every_style_can_be_drawn_and_shows_something():
    rng = np.random.default_rng(0)
    for _ in range(60):
        page, text = variety.draw(variety.Texts("ab7"), rng)
        assert 3 <= len(text) <= 7 and set(text) <= set("ab7")
        assert np.asarray(page).std() > 2


def test_two_colours_are_enough_for_the_text():
    styles = (variety.any_style(TEXTS, np.random.default_rng(seed)) for seed in range(3000))
    two = [style for style in styles if style.palette == 2]
    assert len(two) > 30
    for style in two:
        assert len(set(drawing.draw_labelled(style, np.random.default_rng(0)).image.convert("1").getdata())) == 2


def test_no_font_has_other_shapes_in_the_place_of_letters():
    fonts = variety.text_fonts(CHARACTERS)
    assert len(fonts) >= 20 and not variety.SYMBOLS & set(fonts)
    with pytest.raises(UserError, match="no bundled font"):
        variety.text_fonts("中")


def test_a_default_page_is_the_one_that_it_was():
    """A seed means a page, whatever keys there are."""
    drawn = [variety.draw_labelled(TEXTS, np.random.default_rng(seed)) for seed in range(4)]
    assert [page.text for page, _ in drawn] == KNOWN_TEXTS
    assert [style.fonts[0] for _, style in drawn] == KNOWN_FONTS
    assert [page.image.size for page, _ in drawn] == KNOWN_SIZES


def make_font(path, characters):
    """A font of boxes, each a little wider than the one before."""
    names = [".notdef", *(f"u{ord(c):X}" for c in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): name for c, name in zip(characters, names[1:])})
    glyphs = {}
    for place, name in enumerate(names):
        pen = TTGlyphPen(None)
        pen.moveTo((50, 0))
        for point in ((50, 700), (300 + 40 * place, 700), (300 + 40 * place, 0)):
            pen.lineTo(point)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (700, 50) for name in names})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


def test_any_characters_of_an_own_font_are_drawn(tmp_path):
    make_font(tmp_path / "one.ttf", "中文字я")
    texts = variety.Texts("中文я", (4, 4), str(tmp_path / "one.ttf"))
    for seed in range(5):
        page, style = variety.draw_labelled(texts, np.random.default_rng(seed))
        assert len(page.text) == 4 and set(page.text) <= set("中文я") and set(style.fonts) == {texts.fonts}


def test_a_folder_of_fonts_is_used_and_each_draws_what_it_has(tmp_path):
    make_font(tmp_path / "one.ttf", "中文")
    (tmp_path / "more").mkdir()
    make_font(tmp_path / "more" / "two.OTF", "я文")
    (tmp_path / "readme.txt").write_text("no font")
    both = variety.text_fonts("中я文", str(tmp_path))
    assert set(both.values()) == {"中文", "я文"}
    texts = variety.Texts("中я文", (2, 3), str(tmp_path))
    seen = {variety.draw(texts, np.random.default_rng(seed))[1] for seed in range(30)}
    assert not any("中" in text and "я" in text for text in seen) and set("中я文") == set("".join(seen))
    assert list(variety.text_fonts("文", str(tmp_path)).values()) == ["文", "文"]  # all have all
    with pytest.raises(UserError, match=r"'Q' \(U\+0051\)"):
        variety.text_fonts("中я文Q", str(tmp_path))


@pytest.mark.parametrize(("name", "why"), [("no.ttf", "no font"), ("bad.ttf", "not a font"), ("empty", "holds no")])
def test_what_is_no_font_is_named(tmp_path, name, why):
    (tmp_path / "bad.ttf").write_bytes(b"\0\1\0\0 this is none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=f"{name}.*{why}|{why}.*{name}"):
        variety.text_fonts("a", str(tmp_path / name))
