"""Pages that look like no site in particular: what differs between sites differs here from page to page.

A network that reads them has seen every character in many fonts, sizes, slants and colours, under all kinds of clutter
(domain randomization, Tobin et al. 2017, arXiv:1703.06907). Host wing.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image

from seqclr.data import synth
from seqclr.data.synth import Style
from seqclr.errors import UserError

SYMBOLS = {"LastResortHE-Regular", "cmex10", "cmmi10", "cmsy10"}  # fonts with other shapes in the letters' places
MIN_LENGTH, MAX_LENGTH = 3, 7


def draw(characters: str, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """One page, RGB of any size, and the text on it; nothing but `rng` decides on it."""
    return synth.draw(any_style(characters, rng), rng)


def any_style(characters: str, rng: np.random.Generator) -> Style:
    """A style of which everything is drawn by chance."""

    def chance(probability: float) -> bool:
        return rng.random() < probability

    length = int(rng.integers(MIN_LENGTH, MAX_LENGTH + 1))
    height = int(rng.integers(26, 41))
    size = height * rng.uniform(0.6, 1.1)
    width = int(0.7 * size * max(length, 4) * rng.uniform(0.9, 1.5))
    paper, ink = _colours(rng)
    turn, rise, gap = rng.uniform(0, 25), int(rng.integers(0, height // 8 + 1)), int(rng.integers(-4, 6))
    return Style(
        characters=characters,
        length=[length, length],
        fonts=[str(rng.choice(text_fonts(characters)))],
        font_sizes=[int(size * rng.uniform(0.75, 1.0)), int(size)],
        text_colours=[_hex(ink)],
        colour_each=chance(0.3),
        width=[width, width],
        height=[height, height],
        margin=1,
        background=str(rng.choice(["plain", "plain", "plain", "gradient", "clouds", "grid"])),
        background_colours=[_hex(paper), _hex(paper + rng.integers(-40, 41, 3))],
        colour_jitter=int(rng.integers(0, 50)),
        rotation=[-turn, turn],
        warp=float(rng.uniform(0.05, 0.3)) if chance(0.4) else 0.0,
        rise=[-rise, rise],
        spacing=[gap, gap + int(rng.integers(0, 6))],
        wave=float(rng.uniform(1, height / 8)) if chance(0.15) else 0.0,
        wander=1.0,
        curves=[0, int(rng.integers(0, 3))],
        lines=[0, int(rng.integers(1, 8))] if chance(0.4) else [0, 0],
        line_width=int(rng.integers(1, 4)),
        dots=[0, int(rng.integers(1, 40))] if chance(0.4) else [0, 0],
        dot_width=int(rng.integers(1, 4)),
        clutter_colours=[] if chance(0.5) else [_hex(rng.integers(0, 256, 3)) for _ in range(3)],
        speckle=float(rng.uniform(0.02, 0.3)) if chance(0.2) else 0.0,
        blur=[0, float(rng.uniform(0, 0.8))],
    )


def _colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Paper and ink that can be told apart: mostly dark on light."""
    light, dark = rng.integers(150, 256, 3), rng.integers(0, 110, 3)
    return (light, dark) if rng.random() < 0.9 else (dark, light)


def _hex(colour: np.ndarray) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in colour.clip(0, 255))


@functools.lru_cache
def text_fonts(characters: str) -> tuple[str, ...]:
    """The bundled fonts that have all these characters, but for those that have other shapes in their places."""
    fonts = [name for name in synth.bundled_fonts() if name not in SYMBOLS and not synth.lacking(characters, name)]
    if not fonts:
        raise UserError(f"no bundled font has all of the characters '{characters}': leave some out")
    return tuple(fonts)
