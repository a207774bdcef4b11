"""Styles: the settings of generated images, as a dataclass and as YAML files. Host side.

A preset is a YAML file of the keys that differ from the defaults of `Style`.
"""

from __future__ import annotations

import os
import string
from dataclasses import dataclass, field, fields
from pathlib import Path

from PIL import ImageColor

from seqclr.config import read_yaml, typed
from seqclr.data.charset import OPERATORS, SUM_SIGNS
from seqclr.errors import UserError
from seqclr.synthesis.backgrounds import BACKGROUNDS
from seqclr.synthesis.fonts import missing_characters

PRESETS = Path(__file__).parent / "presets"
LONGEST = 50  # characters of a text


def span(low: float, high: float, least: float, most: float):
    """A dataclass field for a range, both ends included, that lies within least and most."""
    return field(default_factory=lambda: [low, high], metadata={"least": least, "most": most})


def offset(most: int):
    """A dataclass field for an offset to the right and down, of at most so many pixels; both 0 by default."""
    return field(default_factory=lambda: [0, 0], metadata={"least": -most, "most": most, "range": False})


def number(default: float, least: float, most: float):
    """A dataclass field for a number from least to most."""
    return field(default=default, metadata={"least": least, "most": most})


def names(*values: str):
    """A dataclass field for a list of fonts or colours."""
    return field(default_factory=lambda: list(values))


@dataclass
class Style:
    """What the images of one site look like.

    Two numbers are a range from which every image (or character) draws, both ends included, unless they are an offset
    to the right and down; lengths are in pixels. Colours are written as Pillow reads them: "#1f4e8c", "black".
    """

    # the text
    characters: str = "23456789abcdefghkmnpqrstuvwxyz"
    length: list[int] = span(4, 5, 1, LONGEST)  # characters on an image
    fonts: list[str] = names("DejaVuSans")  # one an image: a bundled font's name or the path of a .ttf file
    font_each: bool = False  # a font for every character instead of one for the image
    font_sizes: list[int] = span(26, 30, 6, 200)  # one a character
    sums: str = ""  # the signs of sums such as 3+16=?, which are the texts then; none: random characters
    text_colours: list[str] = names("black")
    colour_each: bool = False  # a colour for every character instead of one for the image
    outline: int = number(0, 0, 50)  # width of the strokes of hollow characters; 0: filled
    relief: list[int] = offset(50)  # offset of the rear of hollow characters with solid sides; both 0: none
    shadow: list[int] = offset(50)  # offset of a shadow to the right and down; both 0: none
    wheels: list[str] = names()  # colours of a rounded wheel under every character, as on a meter; none: no wheels

    # the image
    width: list[int] = span(120, 120, 16, 4096)
    height: list[int] = span(40, 40, 16, 1024)
    # least distance of the text from the edges, a text that does not fit is reduced; negative: so much may be cut off
    margin: int = number(3, -200, 512)
    background: str = "plain"  # plain, gradient, clouds or grid
    background_colours: list[str] = names("white")  # all but `plain` mix two of them
    colour_jitter: int = number(0, 0, 255)  # every channel of every colour moves by up to this much

    # the placement of the characters
    rotation: list[float] = span(0, 0, -180, 180)  # degrees, for every character
    warp: float = number(0.0, 0, 0.5)  # how far a character's corners are pulled, as a share of its size
    rise: list[int] = span(0, 0, -200, 200)  # how far a character is moved down (negative: up)
    spacing: list[int] = span(1, 3, -200, 200)  # gap to the next character; negative: they overlap
    touching: bool = False  # whether the gap is measured along the characters' shapes, so that at 0 they touch
    wave: float = number(0.0, 0, 200)  # height of a wave that runs through the whole text
    ripple: float = number(0.0, 0, 200)  # how far sine waves move the rows and columns of the whole image
    bulge: float = number(0.0, 0, 0.5)  # how far pixels move away from a point within the image, as of a lens
    wander: float = number(0.5, 0, 1)  # share of the free space in which the text is moved about; 0: centred

    # clutter over the text
    curves: list[int] = span(0, 0, 0, 100)  # how many arcs
    lines: list[int] = span(0, 0, 0, 100)  # how many straight strokes from side to side
    line_width: int = number(1, 0, 200)
    dashes: list[int] = span(0, 0, 0, 1000)  # how many short strokes at any place
    dash_length: int = number(8, 0, 1000)
    dots: list[int] = span(0, 0, 0, 10_000)  # how many dots
    dot_width: int = number(2, 0, 200)
    ovals: list[int] = span(0, 0, 0, 100)  # how many outlines of ovals
    letters: list[int] = span(0, 0, 0, 100)  # how many small, faint characters behind the text
    border: int = number(0, 0, 50)  # width of a frame along the edges
    clutter_colours: list[str] = names()  # of arcs, strokes and dots; none: the text's colour
    inversions: list[int] = span(0, 0, 0, 100)  # how many bent bands show the image inverted
    inversion_width: int = number(3, 0, 200)
    speckle: float = number(0.0, 0, 1)  # share of the pixels replaced by a random grey
    blur: list[float] = span(0, 0, 0, 100)  # radius

    # the file
    format: str = "png"  # png or jpg
    palette: int = number(0, 0, 256)  # colours a png keeps; 2: black and white, 0: all
    quality: int = number(80, 1, 95)  # of a jpg, 1 to 95


FORMATS = ("png", "jpg")


def style_names() -> list[str]:
    """Names of the preset styles."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load_style(name: str | os.PathLike) -> Style:
    """A preset by its name, or a style from a YAML file of `Style` keys; keys left out keep their defaults.

    Raises:
        UserError: no such style or file, an unknown key, or a value that no image can be drawn with.
    """
    path = PRESETS / f"{name}.yaml" if str(name) in style_names() else Path(name)
    if not os.path.isfile(path):
        raise UserError(f"no style {str(name)!r}: give a YAML file or one of {', '.join(style_names())}")
    mapping, types, defaults = read_yaml(path) or {}, {f.name: f.type for f in fields(Style)}, vars(Style())
    if not isinstance(mapping, dict):
        raise UserError(f"{path} holds no keys: write lines such as 'length: [4, 5]'")
    unknown = [key for key in mapping if key not in types]
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}; the known keys are {', '.join(types)}")
    chosen = {}
    for key, value in mapping.items():
        try:
            chosen[key] = typed(key, types[key], value)
        except UserError as error:
            raise UserError(f"{path}: {error}; write it like its default, {defaults[key]!r}") from None
    style = Style(**chosen)
    check_style(style, path)
    return style


def check_style(style: Style, source: Path) -> None:
    """Raises UserError for values that no image can be drawn with."""

    def need(right: bool, key: str, must: str) -> None:
        if not right:
            raise UserError(f"{source}: {key} is {getattr(style, key)!r} but must be {must}")

    for numeric in (f for f in fields(Style) if "least" in f.metadata):
        value, least, most = getattr(style, numeric.name), numeric.metadata["least"], numeric.metadata["most"]
        if isinstance(value, list):
            in_range, order = len(value) == 2 and least <= min(value) and max(value) <= most, ""
            if numeric.metadata.get("range", True):
                in_range, order = in_range and value[0] <= value[1], ", the lower one first,"
            need(in_range, numeric.name, f"two numbers{order} from {least} to {most}")
        else:
            need(least <= value <= most, numeric.name, f"from {least} to {most}")
    need(style.characters != "", "characters", "a string with at least one character")
    need(style.background in BACKGROUNDS, "background", f"one of {', '.join(BACKGROUNDS)}")
    need(style.format in FORMATS, "format", f"one of {', '.join(FORMATS)}")
    need(style.palette != 1, "palette", "0 or from 2 to 256")
    need(style.outline > 0 or not any(style.relief), "relief", "[0, 0] where outline is 0")
    need(style.margin < min(style.width[0], style.height[0]) / 2, "margin", "less than half of the image")
    for key in ("fonts", "text_colours", "background_colours"):
        need(len(getattr(style, key)) > 0, key, "a list with at least one entry")
    for key in ("text_colours", "background_colours", "clutter_colours", "wheels"):
        need(all(map(_is_colour, getattr(style, key))), key, "colours such as '#1f4e8c' or 'black'")
    need(set(style.sums) <= set(SUM_SIGNS), "sums", f"some of {SUM_SIGNS}")
    need(not style.sums or bool(set(style.sums) & set(OPERATORS)), "sums", f"with one of {OPERATORS}")
    for name in style.fonts:
        missing = missing_characters(style.characters + (string.digits + style.sums if style.sums else ""), name)
        if missing:
            raise UserError(f"{source}: font {name!r} cannot draw {missing!r}: change fonts or characters")


def _is_colour(value: str) -> bool:
    try:
        return len(ImageColor.getrgb(value)) == 3
    except ValueError:
        return False


def read_length(length: str) -> tuple[int, int]:
    """The least and the largest number of characters of "4" or "4:6". Raises UserError for other strings."""
    parts = length.split(":")
    if len(parts) <= 2 and all(part.isascii() and part.isdigit() for part in parts):
        least, most = int(parts[0]), int(parts[-1])
        if 1 <= least <= most <= LONGEST:
            return least, most
    raise UserError(f"length {length}: 1 to {LONGEST}, such as 4, or 4:6 for 4 to 6 (in YAML in quotes)")
