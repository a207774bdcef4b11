"""Images in random styles, for domain randomization (Tobin et al. 2017, arXiv:1703.06907). Host side.

Every image has its own font, size, slant, colours and clutter, so that a network trained on them does not depend on the
style of one site.
"""

from __future__ import annotations

import functools
import string
from typing import NamedTuple

import numpy as np
from PIL import Image

from seqclr.data.charset import SUM_SIGNS
from seqclr.errors import UserError
from seqclr.synthesis import drawing, encoding
from seqclr.synthesis.drawing import LabelledImage
from seqclr.synthesis.fonts import bundled_fonts, find_fonts, missing_characters
from seqclr.synthesis.styles import Style

LONGEST_SUM = len("12+34=?")
SYMBOLS = {"LastResortHE-Regular", "cmex10", "cmmi10", "cmsy10"}  # fonts with symbols instead of letters


class Texts(NamedTuple):
    """The texts of generated images.

    characters: of which each image uses those that its font has. lengths: least and largest number of characters.
    fonts: as for `fonts.find_fonts`; None: the bundled ones. sums: share of the images that show a sum, such as
    3+16=?, with some of the signs.
    """

    characters: str
    lengths: tuple[int, int] = (3, 7)
    fonts: str | None = None
    sums: float = 0.0
    signs: str = SUM_SIGNS

    def all_characters(self) -> str:
        """The characters, and those of sums where there are any."""
        return "".join(dict.fromkeys(self.characters + (string.digits + self.signs if self.sums else "")))

    def longest(self) -> int:
        """The largest number of characters in a text."""
        return max(self.lengths[1], LONGEST_SUM if self.sums else 0)

    def font_names(self) -> list[str]:
        """The fonts of `text_fonts` for the characters."""
        return list(text_fonts(self.characters, self.fonts))

    def check(self) -> None:
        """Raises UserError for a character that no font has."""
        text_fonts(self.all_characters(), self.fonts)

    def has_sums(self, font: str) -> bool:
        """Whether a font can draw sums."""
        every = self.all_characters()
        return self.sums > 0 and set(text_fonts(every, self.fonts).get(font, "")) == set(every)


def draw(texts: Texts, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """An RGB image of random size and its text, determined by `rng`."""
    labelled, _ = draw_labelled(texts, rng)
    return labelled.image, labelled.text


def draw_labelled(texts: Texts, rng: np.random.Generator) -> tuple[LabelledImage, Style]:
    """The same image with its properties, and its style."""
    style = any_style(texts, rng)
    drawn = drawing.draw_labelled(style, rng)
    return drawn._replace(image=encoding.loaded(style, drawn.image)), style


def any_style(texts: Texts, rng: np.random.Generator) -> Style:
    """A random style."""

    def chance(probability: float) -> bool:
        return rng.random() < probability

    difficulty = rng.uniform(0, 1.2)  # of the image: where all are equally hard, more are illegible

    def hard(probability: float) -> bool:
        return chance(probability * difficulty)

    drawn = text_fonts(texts.characters, texts.fonts)
    font, *others = rng.choice(list(drawn), 3 if chance(0.15) else 1).tolist()
    fonts = [font, *(name for name in others if set(drawn[font]) <= set(drawn[name]))]
    sums = chance(texts.sums) and all(map(texts.has_sums, fonts))
    length = LONGEST_SUM if sums else int(rng.integers(*texts.lengths, endpoint=True))
    height = int(rng.integers(20, 61))
    size = max(13.0, height * rng.uniform(0.4, 1.1))
    width = int(0.7 * size * max(length, 4) * rng.uniform(0.9, 1.7))
    paper = np.full(3, 255) if chance(0.2) else rng.integers(150, 256, 3) if chance(0.9) else rng.integers(0, 110, 3)
    other = rng.integers(90, 256) if chance(0.3) else paper + rng.integers(-40, 41, 3)
    many = hard(0.3)
    faint = many or hard(0.15)
    inks = [_hex(_ink(paper, rng, faint)) for _ in range(6 if many else 1)]
    turn, rise = rng.uniform(0, 30) * min(1, difficulty), int(rng.integers(0, height // 8 + 1))
    background = str(rng.choice(["plain", "plain", "plain", "gradient", "clouds", "grid"]))
    light = min(np.min(paper), np.min(other)) > 170  # with jitter, above the threshold of two colours
    bright = light and background == "plain" and not faint  # so the text is dark
    shadow = rng.integers(-3, 4, 2).tolist() if hard(0.1) else [0, 0]
    hollow = size > 20 and hard(0.15)
    depth = int(rng.integers(1, size / 8)) if hollow and chance(0.6) else 0
    touching, cut = hard(0.2), hard(0.15)
    gap = int(rng.integers(-3, 1)) if touching else int(size * rng.uniform(-0.15, 0.2))
    ripple = float(rng.uniform(0.5, height / 10)) if hard(0.5 if touching else 0.2) else 0.0
    form, colours = ("jpg", 0) if chance(0.3) else ("png", int(rng.choice([0, 0, 0, 2 if bright else 0, 16, 64])))
    strokes = [_hex(paper)] if hard(0.1) else [_hex(rng.integers(0, 256, 3)) for _ in range(rng.choice([0, 1, 6]))]
    return Style(
        characters=drawn[font],
        sums=texts.signs if sums else "",
        outline=int(rng.integers(1, 3)) if hollow else 0,
        relief=rng.integers(-depth, depth + 1, 2).tolist(),
        shadow=shadow,
        length=[length, length],
        fonts=fonts,
        font_each=True,
        font_sizes=[int(size * rng.uniform(0.75, 1.0)), int(size)],
        text_colours=inks,
        colour_each=many or chance(0.2),
        width=[width, width],
        height=[height, height],
        margin=-int(size * rng.uniform(0, 0.2)) if cut else 1,
        background=background,
        background_colours=[_hex(paper), _hex(np.broadcast_to(other, 3))],
        colour_jitter=int(rng.integers(0, 30)),
        rotation=[-turn, turn],
        warp=float(rng.uniform(0.05, 0.3)) if hard(0.4) else 0.0,
        rise=[-rise, rise],
        spacing=[gap, gap + int(rng.integers(0, 4 if touching else 6))],
        touching=touching,
        wave=float(rng.uniform(1, height / 8)) if hard(0.15) else 0.0,
        ripple=ripple,
        bulge=float(rng.uniform(0.1, 0.4)) if hard(0.08) else 0.0,
        wander=1.0,
        curves=[0, int(rng.integers(0, 3))],
        lines=[0, int(rng.integers(1, 8))] if hard(0.4) else [0, 0],
        line_width=int(rng.choice([1, 1, 2, 3])),
        dashes=[0, int(rng.integers(5, 50))] if hard(0.2) else [0, 0],
        dash_length=int(height * rng.uniform(0.1, 0.3)),
        dots=[0, int(rng.integers(1, 60))] if hard(0.4) else [0, 0],
        dot_width=int(rng.integers(1, 4)),
        ovals=[0, int(rng.integers(1, 6))] if hard(0.12) else [0, 0],
        letters=[0, int(rng.integers(1, 20))] if hard(0.08) else [0, 0],
        border=int(rng.integers(1, 3)) if hard(0.15) else 0,
        clutter_colours=strokes,
        inversions=[0, 2] if hard(0.15) else [0, 0],
        inversion_width=int(rng.integers(2, 6)),
        speckle=float(rng.uniform(0.02, 0.3)) if hard(0.2) else 0.0,
        blur=[0, float(rng.uniform(0, 0.8))],
        format=form,
        palette=colours,
        quality=int(rng.integers(30, 96)),
    )


def _ink(paper: np.ndarray, rng: np.random.Generator, faint: bool) -> np.ndarray:
    """A colour that differs from the paper in lightness, or, where faint, in one channel by at least 80."""
    if faint:
        while np.abs((ink := rng.integers(0, 256, 3)) - paper).max() < 80:
            pass
        return ink
    return rng.integers(0, 110, 3) if paper.mean() > 127 else rng.integers(150, 256, 3)


def _hex(colour: np.ndarray) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in colour.clip(0, 255))


@functools.lru_cache
def text_fonts(characters: str, fonts: str | None = None) -> dict[str, str]:
    """The fonts and the characters that each can draw: those with all characters, or else those with some.

    Bundled symbol fonts are left out. Raises UserError for a character that no font has.
    """
    if fonts is None:
        names = [name for name in bundled_fonts() if name not in SYMBOLS]
    else:
        names = find_fonts(fonts)
    drawn = {}
    for name in names:
        missing = set(missing_characters(characters, name))
        drawn[name] = "".join(character for character in characters if character not in missing)
    known = set().union(*drawn.values())
    for character in characters:
        if character not in known:
            which = "bundled font" if fonts is None else f"font of {fonts}"
            raise UserError(
                f"no {which} has the character {character!r} (U+{ord(character):04X}): leave it out of characters, or "
                "name in fonts a font that has it"
            )
    return {name: has for name, has in drawn.items() if has == characters} or {
        n: has for n, has in drawn.items() if has
    }
