"""Captcha pages to practise on, drawn by the `captcha` library and Pillow.

A *style* says what the pages of one site look like; it is a dataclass, and a preset is a YAML file of the keys that
differ from its defaults. A page depends on its style and its random generator alone, so a folder can be made again from
its seed, and a larger one begins with the same pages as a smaller one.
"""

from __future__ import annotations

import csv
import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

import captcha.image
import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFilter, ImageFont, ImageOps

from seqclr.config import read_yaml, typed
from seqclr.errors import UserError
from seqclr.messages import bar

PRESETS = Path(__file__).parent / "styles"
LABELLED, UNLABELLED = 0, 1  # the parts of a folder; their pages come from different random streams
LONGEST = 50  # characters of a text
Colour = tuple[int, int, int]


def span(low: float, high: float, least: float, most: float):
    """A dataclass field for a range, both ends included, that lies within least and most."""
    return field(default_factory=lambda: [low, high], metadata={"least": least, "most": most})


def number(default: float, least: float, most: float):
    """A dataclass field for a number from least to most."""
    return field(default=default, metadata={"least": least, "most": most})


def names(*values: str):
    """A dataclass field for a list of fonts or colours."""
    return field(default_factory=lambda: list(values))


@dataclass
class Style:
    """What the pages of one site look like.

    Two numbers are a range from which every page (or character) draws, both ends included; lengths are in pixels.
    Colours are written as Pillow reads them: "#1f4e8c", "black".
    """

    # the text
    characters: str = "23456789abcdefghkmnpqrstuvwxyz"
    length: list[int] = span(4, 5, 1, LONGEST)  # characters on a page
    fonts: list[str] = names("DejaVuSans")  # one a page: a bundled font's name or the path of a .ttf file
    font_sizes: list[int] = span(26, 30, 6, 200)  # one a character
    text_colours: list[str] = names("black")
    colour_each: bool = False  # a colour for every character instead of one for the page
    wheels: list[str] = names()  # colours of a rounded wheel under every character, as on a meter; none: no wheels

    # the page
    width: list[int] = span(120, 120, 16, 4096)
    height: list[int] = span(40, 40, 16, 1024)
    margin: int = number(3, 0, 512)  # the text keeps this far from the edges, and shrinks if it must
    background: str = "plain"  # plain, gradient, clouds or grid
    background_colours: list[str] = names("white")  # all but `plain` mix two of them
    colour_jitter: int = number(0, 0, 255)  # every channel of every colour moves by up to this much

    # how the characters stand
    rotation: list[float] = span(0, 0, -180, 180)  # degrees, for every character
    warp: float = number(0.0, 0, 0.5)  # how far a character's corners are pulled, as a share of its size
    rise: list[int] = span(0, 0, -200, 200)  # how far a character is moved down (negative: up)
    spacing: list[int] = span(1, 3, -200, 200)  # gap to the next character; negative: they overlap
    wave: float = number(0.0, 0, 200)  # height of a wave that runs through the whole text
    wander: float = number(0.5, 0, 1)  # share of the free space in which the text is moved about; 0: centred

    # what is drawn over them
    curves: list[int] = span(0, 0, 0, 100)  # how many arcs
    lines: list[int] = span(0, 0, 0, 100)  # how many straight strokes from side to side
    line_width: int = number(1, 0, 200)
    dashes: list[int] = span(0, 0, 0, 1000)  # how many short strokes at any place
    dash_length: int = number(8, 0, 1000)
    dots: list[int] = span(0, 0, 0, 10_000)  # how many dots
    dot_width: int = number(2, 0, 200)
    clutter_colours: list[str] = names()  # of arcs, strokes and dots; none: the text's colour
    inversions: list[int] = span(0, 0, 0, 100)  # how many bent bands show the page inverted
    inversion_width: int = number(3, 0, 200)
    speckle: float = number(0.0, 0, 1)  # share of the pixels replaced by a random grey
    blur: list[float] = span(0, 0, 0, 100)  # radius

    # the file
    format: str = "png"  # png or jpg
    palette: int = number(0, 0, 256)  # colours a png keeps; 2: black and white, 0: all
    quality: int = number(80, 1, 95)  # of a jpg, 1 to 95


FORMATS = ("png", "jpg")
FONT_FILES = (".ttf", ".otf")


# ---- styles ----


def style_names() -> list[str]:
    """Names of the preset styles."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load_style(name: str | os.PathLike) -> Style:
    """A preset by its name, or a style from a YAML file of `Style` keys; keys left out keep their defaults.

    Raises:
        UserError: no such style or file, an unknown key, or a value that no page can be drawn with.
    """
    path = PRESETS / f"{name}.yaml" if str(name) in style_names() else Path(name)
    if not path.is_file():
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
    _check(style, path)
    return style


def _check(style: Style, source: Path) -> None:
    """Refuse values of the right type that no page can be drawn with."""

    def need(right: bool, key: str, must: str) -> None:
        if not right:
            raise UserError(f"{source}: {key} is {getattr(style, key)!r} but must be {must}")

    for numeric in (f for f in fields(Style) if "least" in f.metadata):
        value, (least, most) = getattr(style, numeric.name), numeric.metadata.values()
        if isinstance(value, list):
            right = len(value) == 2 and least <= value[0] <= value[1] <= most
            need(right, numeric.name, f"two numbers, the lower one first, from {least} to {most}")
        else:
            need(least <= value <= most, numeric.name, f"from {least} to {most}")
    need(style.characters != "", "characters", "a string with at least one sign")
    need(style.background in BACKGROUNDS, "background", f"one of {', '.join(BACKGROUNDS)}")
    need(style.format in FORMATS, "format", f"one of {', '.join(FORMATS)}")
    need(style.palette != 1, "palette", "0 or from 2 to 256")
    need(style.margin < min(style.width[0], style.height[0]) / 2, "margin", "less than half of the page")
    for key in ("fonts", "text_colours", "background_colours"):
        need(len(getattr(style, key)) > 0, key, "a list with at least one entry")
    for key in ("text_colours", "background_colours", "clutter_colours", "wheels"):
        need(all(map(_is_colour, getattr(style, key))), key, "colours such as '#1f4e8c' or 'black'")
    for name in style.fonts:
        missing = lacking(style.characters, name)
        if missing:
            raise UserError(f"{source}: font {name!r} cannot draw {missing!r}: change fonts or characters")


def _is_colour(value: str) -> bool:
    try:
        return len(ImageColor.getrgb(value)) == 3
    except ValueError:
        return False


def read_length(length: str) -> tuple[int, int]:
    """The least and the most characters that "4" or "4:6" means. Raises UserError for what is neither."""
    parts = length.split(":")
    if len(parts) <= 2 and all(part.isascii() and part.isdigit() for part in parts):
        least, most = int(parts[0]), int(parts[-1])
        if 1 <= least <= most <= LONGEST:
            return least, most
    raise UserError(f"length {length}: 1 to {LONGEST}, such as 4, or 4:6 for 4 to 6 (in YAML in quotes)")


@lru_cache
def bundled_fonts() -> dict[str, Path]:
    """The fonts that ship inside captcha and matplotlib, by name."""
    import matplotlib  # takes a moment, and only who draws needs it

    folders = Path(captcha.image.DATA_DIR), Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.ttf"))}


def find_fonts(fonts: str) -> list[str]:
    """The fonts that a name means: a bundled one, a .ttf or .otf file, or all such files of a folder, at any depth.

    Raises UserError where there are none.
    """
    if not Path(fonts).is_dir():
        _load_font(fonts, 24)
        return [fonts]
    found = sorted(str(path) for path in Path(fonts).rglob("*") if path.suffix.lower() in FONT_FILES)
    if not found:
        raise UserError(f"fonts {fonts}: the folder holds no {' or '.join(FONT_FILES)} file")
    return found


@lru_cache(maxsize=256)
def _load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    path = bundled_fonts().get(name, Path(name))
    try:
        # The basic layout is in every build of Pillow; the default differs from machine to machine.
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        if path.is_file():
            raise UserError(f"{name} is not a font that can be opened ({error}): give another one") from None
        known = ", ".join(bundled_fonts())
        raise UserError(f"no font {name!r}: give the path of a .ttf or .otf file or one of {known}") from None


def lacking(characters: str, name: str) -> str:
    """The characters that a font draws as nothing or as its box for unknown signs."""
    font = _load_font(name, 24)

    def shape(sign: str) -> tuple[tuple[int, int], bytes]:
        mask = font.getmask(sign)
        return mask.size, bytes(mask)

    unknown = shape("\uffff")  # never a character
    return "".join(c for c in characters if font.getmask(c).getbbox() is None or shape(c) == unknown)


# ---- chance ----


class _Dice:
    """The three functions of `secrets` that captcha uses, from a generator that can be seeded."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def randbelow(self, limit: int) -> int:
        return int(self.rng.integers(limit))

    def randbits(self, bits: int) -> int:
        return int(self.rng.integers(2**bits))

    def choice(self, values: Sequence):
        return values[self.randbelow(len(values))]


_one_at_a_time = threading.Lock()


@contextmanager
def _seeded(rng: np.random.Generator) -> Iterator[None]:
    """Within this block captcha draws from `rng`: it asks `secrets`, which nobody can seed."""
    with _one_at_a_time:
        original = captcha.image.secrets
        captcha.image.secrets = _Dice(rng)
        try:
            yield
        finally:
            captcha.image.secrets = original


def _integer(rng: np.random.Generator, limits: Sequence[int]) -> int:
    return int(rng.integers(*limits, endpoint=True))


def _colour(rng: np.random.Generator, palette: Sequence[str], jitter: int) -> Colour:
    moved = np.array(ImageColor.getrgb(str(rng.choice(palette)))) + rng.integers(-jitter, jitter, 3, endpoint=True)
    return tuple(int(channel) for channel in moved.clip(0, 255))


# ---- backgrounds: how much of the second colour there is, float [H, W] from 0 to 1 ----


def _plain(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return np.zeros((height, width))


def _gradient(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    ramp = x * np.cos(angle) + y * np.sin(angle)
    return (ramp - ramp.min()) / np.ptp(ramp)


def _clouds(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    puffs = rng.integers(0, 256, (max(2, height // 8), max(2, width // 8)), dtype=np.uint8)
    return np.asarray(Image.fromarray(puffs).resize((width, height), Image.Resampling.BICUBIC)) / 255


def _grid(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    step, slant = rng.integers(6, 11), rng.uniform(-0.6, 0.6)
    y, x = np.mgrid[:height, :width]
    return ((x + slant * y) % step < 1) | ((y - slant * x) % step < 1)


BACKGROUNDS = {"plain": _plain, "gradient": _gradient, "clouds": _clouds, "grid": _grid}


def _background(style: Style, height: int, width: int, rng: np.random.Generator) -> Image.Image:
    palette = rng.permutation(style.background_colours)
    first, second = (_colour(rng, [name], style.colour_jitter) for name in (palette[0], palette[-1]))
    share = BACKGROUNDS[style.background](height, width, rng)[..., None]
    return Image.fromarray(np.round(first * (1 - share) + second * share).astype(np.uint8))


# ---- text ----


class _Warper(captcha.image.ImageCaptcha):
    """captcha's rotated and warped characters, in one font."""

    def __init__(self, style: Style, font: ImageFont.FreeTypeFont):
        super().__init__()
        self._truefonts = [font]
        self.character_rotate = tuple(style.rotation)
        self.character_warp_dx = self.character_warp_dy = (0, style.warp)

    def draw(self, character: str) -> Image.Image:
        return self._draw_character(character, ImageDraw.Draw(Image.new("L", (1, 1))), (255, 255, 255, 255))


def _straight(style: Style, character: str, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> Image.Image:
    """A character in its own shape and on its line, only rotated: captcha stretches all of them to one height."""
    left, _, right, _ = font.getbbox(character)
    glyph = Image.new("RGBA", (math.ceil(right - left), sum(font.getmetrics())))
    ImageDraw.Draw(glyph).text((-left, 0), character, font=font, fill="white")
    return glyph.rotate(rng.uniform(*style.rotation), Image.Resampling.BICUBIC, expand=True)


def _on_wheel(style: Style, glyph: Image.Image, height: int, rng: np.random.Generator) -> Image.Image:
    """The character in the middle of a wheel that is lit from the front, RGBA and 0.8 times as wide as high."""
    size = (round(0.8 * height), height)
    light = np.sin(np.linspace(0.15, np.pi - 0.15, height))[:, None, None]
    face = np.full((size[1], size[0], 3), _colour(rng, style.wheels, style.colour_jitter)) * light
    wheel = Image.fromarray(face.astype(np.uint8)).convert("RGBA")
    ink = glyph.crop(glyph.getbbox())
    drop = (height - ink.height) // 2 + _integer(rng, style.rise)
    wheel.alpha_composite(ink, ((size[0] - ink.width) // 2, min(max(drop, 0), height - ink.height)))
    return wheel


class Line(NamedTuple):
    """Text on a transparent strip, RGBA [h, w]; of each character the box of what is drawn, `float [L, 4]`: left, top,
    right, bottom in pixels; and its colour."""

    image: Image.Image
    boxes: np.ndarray
    colours: list[Colour]


def _line(style: Style, text: str, ink: Colour, rng: np.random.Generator) -> Line:
    """The text, cut to what is drawn."""
    name, largest = str(rng.choice(style.fonts)), style.font_sizes[1]
    strip = Image.new("RGBA", (3 * largest * (len(text) + 1), 5 * largest))
    x, middle = largest, strip.height // 2
    boxes, colours = [], []
    for character in text:
        font = _load_font(name, _integer(rng, style.font_sizes))
        glyph = _Warper(style, font).draw(character) if style.warp else _straight(style, character, font, rng)
        colour = _colour(rng, style.text_colours, style.colour_jitter) if style.colour_each else ink
        left, _, right, _ = glyph.getbbox()
        shape = glyph.getchannel("A").crop((left, 0, right, glyph.height))
        glyph = Image.new("RGBA", shape.size, colour)
        glyph.putalpha(shape)
        if style.wheels:
            glyph, rise = _on_wheel(style, glyph, round(1.5 * largest), rng), 0
        else:
            rise = _integer(rng, style.rise)
        place = x, max(0, middle - glyph.height // 2 + rise)
        strip.alpha_composite(glyph, place)
        boxes.append(np.add(glyph.getchannel("A").getbbox(), 2 * place))
        colours.append(colour)
        x = max(0, x + glyph.width + _integer(rng, style.spacing))
    line = _cropped(strip, np.array(boxes, float), colours)
    return _wave(line, style.wave, rng) if style.wave else line


def _cropped(strip: Image.Image, boxes: np.ndarray, colours: list[Colour]) -> Line:
    """What is drawn, and the boxes in it."""
    corners = strip.getbbox()
    return Line(strip.crop(corners), boxes - 2 * corners[:2], colours)


def _wave(line: Line, height: float, rng: np.random.Generator) -> Line:
    """The line bent along a sine of 2 to 4 of its heights a period, by moving slices 4 pixels wide."""
    pad = math.ceil(height)
    strip = ImageOps.expand(line.image, (0, pad))
    period, phase = rng.uniform(2, 4) * line.image.height, rng.uniform(0, 2 * np.pi)

    def up(x: float) -> float:
        return height * math.sin(2 * math.pi * x / period + phase)

    def bent(left: int) -> tuple:
        right, bottom = left + 4, strip.height
        a, b = up(left), up(right)
        return (left, 0, right, bottom), (left, a, left, bottom + a, right, bottom + b, right, b)

    slices = [bent(left) for left in range(0, strip.width, 4)]
    strip = strip.transform(strip.size, Image.Transform.MESH, slices, Image.Resampling.BILINEAR)
    boxes = line.boxes.copy()
    for box in boxes:  # as high as its columns move
        rises = [up(x) for x in range(int(box[0]), int(box[2]) + 1)]
        box[[1, 3]] += pad - 1 - max(rises), pad + 1 - min(rises)
    return _cropped(strip, boxes, line.colours)


def _place(style: Style, page: Image.Image, line: Line, rng: np.random.Generator) -> np.ndarray:
    """Put the line on the page, whole and within the margin; the boxes of its characters there."""
    line, boxes = line.image, line.boxes
    room = page.width - 2 * style.margin, page.height - 2 * style.margin
    scale = min(1, room[0] / line.width, room[1] / line.height)
    if scale < 1:
        size = [max(1, int(scale * side)) for side in line.size]
        boxes = boxes * (2 * [to / of for to, of in zip(size, line.size, strict=True)])
        line = line.resize(size, Image.Resampling.LANCZOS)
    corner = [
        style.margin + round((space - side) * (0.5 + style.wander * rng.uniform(-0.5, 0.5)))
        for space, side in zip(room, line.size, strict=True)
    ]
    page.paste(line, tuple(corner), line)
    return (boxes + 2 * corner).clip(0, 2 * page.size)


# ---- a page ----


def _clutter(style: Style, page: Image.Image, ink: Colour, rng: np.random.Generator) -> None:
    def colour() -> Colour:
        return _colour(rng, style.clutter_colours, style.colour_jitter) if style.clutter_colours else ink

    for _ in range(_integer(rng, style.curves)):
        captcha.image.ImageCaptcha.create_noise_curve(page, colour())
    for _ in range(_integer(rng, style.lines)):
        ends = [(x, _integer(rng, [0, page.height])) for x in (0, page.width)]
        ImageDraw.Draw(page).line(ends, fill=colour(), width=style.line_width)
    for _ in range(_integer(rng, style.dashes)):
        x, y, angle = rng.uniform(0, page.width), rng.uniform(0, page.height), rng.uniform(0, np.pi)
        end = x + style.dash_length * math.cos(angle), y + style.dash_length * math.sin(angle)
        ImageDraw.Draw(page).line([(x, y), end], fill=colour(), width=style.line_width)
    for _ in range(_integer(rng, style.dots)):
        captcha.image.ImageCaptcha.create_noise_dots(page, colour(), style.dot_width, 1)
    for _ in range(_integer(rng, style.inversions)):
        page.paste(ImageOps.invert(page), mask=_band(style, page.size, rng))


def _band(style: Style, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A bent band from side to side, as a mask."""
    band = Image.new("1", size)
    xs = np.arange(0, size[0] + 4, 4)
    ys = np.polyval(np.polyfit([0, size[0] / 2, size[0]], rng.uniform(0, size[1], 3), 2), xs)
    ImageDraw.Draw(band).line(list(zip(xs.tolist(), ys.tolist())), fill=1, width=style.inversion_width)
    return band


def _speckle(page: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    pixels = np.array(page)
    hit = rng.random(pixels.shape[:2]) < share
    pixels[hit] = rng.integers(0, 256, (hit.sum(), 1))
    return Image.fromarray(pixels)


class Page(NamedTuple):
    """A page and what it shows. boxes: of each character's ink, wheel included, `float [L, 4]`: left, top, right,
    bottom in pixels, without the blur. colour: `float [3]`, the mean of the characters', 0 to 255."""

    image: Image.Image
    text: str
    boxes: np.ndarray
    colour: np.ndarray


def draw(style: Style, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """One page, an RGB image of `style.width` x `style.height`, and the text on it. Nothing but `rng` decides on it.

    The page is as drawn; `save` adds what the file format does to it.
    """
    page = draw_page(style, rng)
    return page.image, page.text


def draw_page(style: Style, rng: np.random.Generator) -> Page:
    """The same, with all that is known of the page."""
    with _seeded(rng):
        text = "".join(rng.choice(list(style.characters), _integer(rng, style.length)))
        width, height = _integer(rng, style.width), _integer(rng, style.height)
        page = _background(style, height, width, rng)
        ink = _colour(rng, style.text_colours, style.colour_jitter)
        line = _line(style, text, ink, rng)
        boxes = _place(style, page, line, rng)
        _clutter(style, page, ink, rng)
        page = _speckle(page, style.speckle, rng) if style.speckle else page
        page = page.filter(ImageFilter.GaussianBlur(rng.uniform(*style.blur)))
    return Page(page, text, boxes, np.mean(line.colours, axis=0))


def save(style: Style, page: Image.Image, path: str | os.PathLike) -> None:
    """Write a page in the style's file format, whatever the path's ending."""
    if style.format == "jpg":
        page.save(path, "JPEG", quality=style.quality, optimize=True)
    else:
        if style.palette == 2:
            page = page.convert("1", dither=Image.Dither.NONE)
        elif style.palette:
            page = page.quantize(style.palette, dither=Image.Dither.NONE)
        page.save(path, "PNG", optimize=True)


# ---- a folder of pages ----


def generate(
    output: str | os.PathLike,
    count: int,
    style: str | os.PathLike = "login",
    seed: int = 0,
    test: int = 0,
    unlabelled: int = 0,
    progress: bool = True,
    characters: str | None = None,
    length: str | None = None,
    fonts: str | None = None,
) -> None:
    """Write a folder of pages: `images/`, `labels.csv` (file, text, split) and, if asked for, `unlabelled/`.

    A page depends only on the style, the seed, its part (labelled or not) and its index: a larger count begins with the
    same pages. `labels.csv` appears when all the labelled images are there.

    Args:
        output: a new or empty folder.
        count: labelled pages; the last `test` of them have the split `test`, the others `train`.
        style: name of a preset or a YAML file.
        seed: 0 or more.
        unlabelled: further pages without a label.
        progress: show a bar on stderr.
        characters, length, fonts: instead of the style's; a length such as "4" or "4:6", fonts as of `find_fonts`.

    Raises:
        UserError: a negative number, more test pages than pages, an unknown style, or an output that is in use.
    """
    for name, number in {"count": count, "seed": seed, "test": test, "unlabelled": unlabelled}.items():
        if number < 0:
            raise UserError(f"{name} is {number}: give 0 or more")
    if test > count:
        raise UserError(f"test is {test}, more than the {count} labelled images: raise count or lower test")
    look = load_style(style)
    if characters is not None:
        look = replace(look, characters=characters)
    if length is not None:
        look = replace(look, length=list(read_length(length)))
    if fonts is not None:
        look = replace(look, fonts=find_fonts(fonts))
    if (characters, length, fonts) != (None, None, None):
        _check(look, style)
    root = _new_folder(output)

    with bar(total=count + unlabelled, unit="image", disable=not progress) as drawn:
        partial = root / "labels.csv.partial"
        with _opened(partial) as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["file", "text", "split"])
            for index, (name, text) in enumerate(_write_pages(root / "images", look, seed, LABELLED, count)):
                rows.writerow([name, text, "train" if index < count - test else "test"])
                drawn.update()
        partial.replace(root / "labels.csv")
        if unlabelled:
            for _ in _write_pages(root / "unlabelled", look, seed, UNLABELLED, unlabelled):
                drawn.update()


def _new_folder(output: str | os.PathLike) -> Path:
    root = Path(output)
    try:
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise UserError(f"{root} is not empty: name another folder, nothing is overwritten")
    except OSError as error:
        raise UserError(f"{root} cannot be made a folder ({error.strerror}): name another one") from error
    return root


def _opened(file: Path) -> IO[str]:
    try:
        return file.open("x", encoding="utf-8", newline="")
    except FileExistsError:  # by another process, since it was looked at
        raise UserError(f"{file.parent} is not empty: name another folder, nothing is overwritten") from None


def _write_pages(folder: Path, style: Style, seed: int, part: int, count: int) -> Iterator[tuple[str, str]]:
    """Write a part's pages one by one, yielding the name and text of each."""
    folder.mkdir()
    for index in range(count):
        page, text = draw(style, np.random.default_rng([seed, part, index]))
        name = f"{index:06d}.{style.format}"
        save(style, page, folder / name)
        yield name, text
