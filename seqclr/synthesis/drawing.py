"""Draws captcha images in a style, with the `captcha` library and Pillow. Host side.

An image depends only on its style and the random generator.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import captcha.image
import cv2
import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageFont, ImageOps

from seqclr.data.charset import OPERATORS
from seqclr.synthesis.backgrounds import BACKGROUNDS
from seqclr.synthesis.fonts import load_font
from seqclr.synthesis.styles import Style

Colour = tuple[int, int, int]


class _SeededSecrets:
    """Replaces the three functions of `secrets` that captcha uses by a seeded generator."""

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
    """Within the block captcha draws from `rng` instead of `secrets`, which cannot be seeded."""
    with _one_at_a_time:
        original = captcha.image.secrets
        captcha.image.secrets = _SeededSecrets(rng)
        try:
            yield
        finally:
            captcha.image.secrets = original


def _integer(rng: np.random.Generator, limits: Sequence[int]) -> int:
    return int(rng.integers(*limits, endpoint=True))


def _colour(rng: np.random.Generator, palette: Sequence[str], jitter: int) -> Colour:
    moved = np.array(ImageColor.getrgb(str(rng.choice(palette)))) + rng.integers(-jitter, jitter, 3, endpoint=True)
    return tuple(int(channel) for channel in moved.clip(0, 255))


def _background(style: Style, height: int, width: int, rng: np.random.Generator) -> Image.Image:
    palette = rng.permutation(style.background_colours)
    first, second = (_colour(rng, [name], style.colour_jitter) for name in (palette[0], palette[-1]))
    share = BACKGROUNDS[style.background](height, width, rng)[..., None]
    return Image.fromarray(np.round(first * (1 - share) + second * share).astype(np.uint8))


class _Warper(captcha.image.ImageCaptcha):
    """Rotated and warped characters of captcha, in one font."""

    def __init__(self, style: Style, font: ImageFont.FreeTypeFont):
        super().__init__()
        self._truefonts = [font]
        self.character_rotate = tuple(style.rotation)
        self.character_warp_dx = self.character_warp_dy = (0, style.warp)

    def draw(self, character: str) -> Image.Image:
        return self._draw_character(character, ImageDraw.Draw(Image.new("L", (1, 1))), (255, 255, 255, 255))


def _straight(style: Style, character: str, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> Image.Image:
    """A character on its baseline, only rotated: captcha would stretch all characters to one height."""
    hairline = font.getmask(character).getbbox() is None  # thinner than a pixel: nothing of it is drawn
    left, _, right, _ = font.getbbox(character)
    glyph = Image.new("RGBA", (math.ceil(right - left), sum(font.getmetrics())))
    ImageDraw.Draw(glyph).text((-left, 0), character, font=font, fill="white", stroke_width=int(hairline))
    return glyph.rotate(rng.uniform(*style.rotation), Image.Resampling.BICUBIC, expand=True)


def _on_wheel(style: Style, glyph: Image.Image, height: int, rng: np.random.Generator) -> Image.Image:
    """The character on a shaded wheel, as on a meter: RGBA, 0.8 times as wide as high."""
    size = (round(0.8 * height), height)
    light = np.sin(np.linspace(0.15, np.pi - 0.15, height))[:, None, None]
    face = np.full((size[1], size[0], 3), _colour(rng, style.wheels, style.colour_jitter)) * light
    wheel = Image.fromarray(face.astype(np.uint8)).convert("RGBA")
    ink = glyph.crop(glyph.getbbox())
    drop = (height - ink.height) // 2 + _integer(rng, style.rise)
    wheel.alpha_composite(ink, ((size[0] - ink.width) // 2, min(max(drop, 0), height - ink.height)))
    return wheel


class Line(NamedTuple):
    """Text on a transparent RGBA image, with the box and colour of each character.

    boxes: `float [L, 4]`, left, top, right, bottom of the ink in pixels.
    """

    image: Image.Image
    boxes: np.ndarray
    colours: list[Colour]


def _line(style: Style, text: str, ink: Colour, rng: np.random.Generator) -> Line:
    """The drawn text, cropped to its ink."""
    name, largest = str(rng.choice(style.fonts)), style.font_sizes[1]
    strip = Image.new("RGBA", (3 * largest * (len(text) + 1), 5 * largest))
    x, middle = largest, strip.height // 2
    boxes, colours = [], []
    for character in text:
        name = str(rng.choice(style.fonts)) if style.font_each else name
        font = load_font(name, _integer(rng, style.font_sizes))
        glyph = _Warper(style, font).draw(character) if style.warp else None
        if glyph is None or not glyph.getbbox():  # warping may leave nothing of a thin stroke, such as a minus
            glyph = _straight(style, character, font, rng)
        colour = _colour(rng, style.text_colours, style.colour_jitter) if style.colour_each else ink
        shape = glyph.getchannel("A")
        if style.outline:
            shape = _hollow(shape, style.outline, style.relief)
        left, _, right, _ = shape.getbbox()
        shape = shape.crop((left, 0, right, shape.height))
        glyph = Image.new("RGBA", shape.size, colour)
        glyph.putalpha(shape)
        if style.wheels:
            glyph, rise = _on_wheel(style, glyph, round(1.5 * largest), rng), 0
        else:
            rise = _integer(rng, style.rise)
        top = max(0, middle - glyph.height // 2 + rise)
        if style.touching and boxes:
            x = max(0, x - _gap(strip, glyph, x, top))
        at = x, top
        strip.alpha_composite(glyph, at)
        boxes.append(np.add(glyph.getchannel("A").getbbox(), 2 * at))
        colours.append(colour)
        x = max(0, x + glyph.width + _integer(rng, style.spacing))
    line = _cropped(strip, np.array(boxes, float), colours)
    return _wave(line, style.wave, rng) if style.wave else line


def _gap(strip: Image.Image, glyph: Image.Image, x: int, top: int) -> int:
    """The least distance in a row from the ink of the strip to that of a character at (x, top)."""
    drawn = np.asarray(strip.getchannel("A").crop((0, top, x + glyph.width, top + glyph.height))) > 127
    ink = np.asarray(glyph.getchannel("A")) > 127
    both = drawn.any(1) & ink.any(1)
    if not both.any():
        return 0
    last = drawn.shape[1] - 1 - drawn[both, ::-1].argmax(1)
    return int((x + ink[both].argmax(1) - last).min()) - 1


def _hollow(shape: Image.Image, stroke: int, relief: Sequence[int]) -> Image.Image:
    """The outline of a character, inside its edge, with the side that it has as a solid letter of this depth."""
    depth = max(map(abs, relief))
    framed = ImageOps.expand(shape, depth + 1)  # the filter leaves out the edge of the image
    inner, moved = framed.filter(ImageFilter.MinFilter(2 * stroke + 1)), framed
    for step in range(1, depth + 1):
        moved = ImageChops.lighter(moved, ImageChops.offset(framed, *(round(step / depth * side) for side in relief)))
    return ImageOps.crop(ImageChops.subtract(moved, inner), 1)


def _cropped(strip: Image.Image, boxes: np.ndarray, colours: list[Colour]) -> Line:
    """The line cropped to its ink, with its boxes."""
    corners = strip.getbbox()
    return Line(strip.crop(corners), boxes - 2 * corners[:2], colours)


def _wave(line: Line, height: float, rng: np.random.Generator) -> Line:
    """The line bent along a sine with a period of 2 to 4 of its heights, in slices 4 pixels wide."""
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
    for box in boxes:  # enlarged by the offsets of its columns
        rises = [up(x) for x in range(int(box[0]), int(box[2]) + 1)]
        box[[1, 3]] += pad - 1 - max(rises), pad + 1 - min(rises)
    return _cropped(strip, boxes, line.colours)


def _paste(style: Style, image: Image.Image, line: Line, rng: np.random.Generator) -> tuple[np.ndarray, Image.Image]:
    """Pastes the line within the margin, reduced if it must be. Returns the boxes of its characters in the image, and
    the opacity of the text, a gray image."""
    line, boxes = line.image, line.boxes
    room = image.width - 2 * style.margin, image.height - 2 * style.margin
    scale = min(1, room[0] / line.width, room[1] / line.height)
    if scale < 1:
        size = [max(1, int(scale * side)) for side in line.size]
        boxes = boxes * (2 * [to / of for to, of in zip(size, line.size, strict=True)])
        line = line.resize(size, Image.Resampling.LANCZOS)
    corner = [
        style.margin + round((space - side) * (0.5 + style.wander * rng.uniform(-0.5, 0.5)))
        for space, side in zip(room, line.size, strict=True)
    ]
    if any(style.shadow):
        shade = Image.new("RGB", line.size, _colour(rng, ["gray", "silver", "black"], style.colour_jitter))
        image.paste(shade, tuple(np.add(corner, style.shadow).tolist()), line.getchannel("A"))
    image.paste(line, tuple(corner), line)
    ink = Image.new("L", image.size)
    ink.paste(line.getchannel("A"), tuple(corner))
    return (boxes + 2 * corner).clip(0, 2 * image.size), ink


def _clutter(style: Style, image: Image.Image, ink: Colour, rng: np.random.Generator) -> None:
    def colour() -> Colour:
        return _colour(rng, style.clutter_colours, style.colour_jitter) if style.clutter_colours else ink

    for _ in range(_integer(rng, style.curves)):
        captcha.image.ImageCaptcha.create_noise_curve(image, colour())
    for _ in range(_integer(rng, style.lines)):
        ends = [(x, _integer(rng, [0, image.height])) for x in (0, image.width)]
        ImageDraw.Draw(image).line(ends, fill=colour(), width=style.line_width)
    for _ in range(_integer(rng, style.dashes)):
        x, y, angle = rng.uniform(0, image.width), rng.uniform(0, image.height), rng.uniform(0, np.pi)
        end = x + style.dash_length * math.cos(angle), y + style.dash_length * math.sin(angle)
        ImageDraw.Draw(image).line([(x, y), end], fill=colour(), width=style.line_width)
    for _ in range(_integer(rng, style.dots)):
        captcha.image.ImageCaptcha.create_noise_dots(image, colour(), style.dot_width, 1)
    for _ in range(_integer(rng, style.ovals)):
        (left, right), (top, bottom) = (sorted(rng.uniform(-0.2, 1.2, 2) * side) for side in image.size)
        ImageDraw.Draw(image).ellipse((left, top, right, bottom), outline=colour(), width=style.line_width)
    for _ in range(_integer(rng, style.inversions)):
        image.paste(ImageOps.invert(image), mask=_band(style, image.size, rng))


def _band(style: Style, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """The mask of a bent band from side to side."""
    band = Image.new("1", size)
    xs = np.arange(0, size[0] + 4, 4)
    ys = np.polyval(np.polyfit([0, size[0] / 2, size[0]], rng.uniform(0, size[1], 3), 2), xs)
    ImageDraw.Draw(band).line(list(zip(xs.tolist(), ys.tolist())), fill=1, width=style.inversion_width)
    return band


def _letters(style: Style, image: Image.Image, rng: np.random.Generator) -> None:
    """Draws small characters of a colour between the background's and another one."""
    for _ in range(_integer(rng, style.letters)):
        at = _integer(rng, [0, image.width]), _integer(rng, [-4, image.height - 4])
        near = np.array(image.getpixel((min(at[0], image.width - 1), max(0, min(at[1], image.height - 1)))))
        faint = np.round(near + rng.uniform(0.2, 0.5) * (rng.integers(0, 256, 3) - near)).astype(int)
        font = load_font(str(rng.choice(style.fonts)), max(6, image.height // 4))
        character = str(rng.choice(list(style.characters)))
        ImageDraw.Draw(image).text(at, character, font=font, fill=tuple(faint.tolist()))


def _ripple(image: Image.Image, ink: Image.Image, boxes: np.ndarray, most: float, rng: np.random.Generator):
    """The image and its ink, moved along sines of x and y by up to `most` pixels, and the boxes enlarged by that."""
    y, x = np.mgrid[: image.height, : image.width].astype(np.float32)

    def move(along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Stretches along the direction of the move and bends across it, in random shares."""
        share = rng.random()
        periods, phases = rng.uniform(0.5, 2, 2) * image.height, rng.uniform(0, 2 * np.pi, 2)
        stretch, bend = np.sin(2 * np.pi * np.array([along / periods[0], across / periods[1]]) + phases[:, None, None])
        return (most * (share / 2 * stretch + (1 - share / 2) * bend)).astype(np.float32)

    return _moved(image, ink, boxes, x + move(x, y), y + move(y, x), most)


def _bulge(image: Image.Image, ink: Image.Image, boxes: np.ndarray, strength: float, rng: np.random.Generator):
    """The image with a part enlarged as by a lens at a random place, and the boxes enlarged by the largest move."""
    y, x = np.mgrid[: image.height, : image.width].astype(np.float32)
    right, down = x - rng.uniform(0, image.width), y - rng.uniform(0, image.height)
    radius = image.height * rng.uniform(0.5, 1.5)
    share = strength * np.exp(-(right**2 + down**2) / radius**2).astype(np.float32)
    return _moved(image, ink, boxes, x - share * right, y - share * down, strength * radius)


def _moved(image: Image.Image, ink: Image.Image, boxes: np.ndarray, x: np.ndarray, y: np.ndarray, most: float):
    """The image with the pixels of other places, and the boxes enlarged by the largest move."""
    moved = cv2.remap(np.dstack([image, ink]), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    boxes = boxes + np.array([-most, -most, most, most])
    return Image.fromarray(moved[..., :3]), Image.fromarray(moved[..., 3]), boxes.clip(0, 2 * image.size)


def _sum(signs: str, rng: np.random.Generator) -> str:
    """A sum such as `3+16=?` with some signs, of numbers of one or two digits."""
    a, b = (int(rng.integers(0, 10 if rng.random() < 0.6 else 100)) for _ in range(2))
    operators = [sign for sign in signs if sign in OPERATORS]
    ends = [end for end in ("=?", "=", "") if set(end) <= set(signs)]
    return f"{a}{rng.choice(operators)}{b}{rng.choice(ends)}"


def _speckle(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    pixels = np.array(image)
    hit = rng.random(pixels.shape[:2]) < share
    pixels[hit] = rng.integers(0, 256, (hit.sum(), 1))
    return Image.fromarray(pixels)


class LabelledImage(NamedTuple):
    """An image, its text and their properties.

    boxes: `float [L, 4]`, left, top, right, bottom of each character, with its wheel and before the blur, in pixels.
    colour: `float [3]`, the mean colour of the characters, 0 to 255.
    ink: `bool [H, W]`, the pixels of the characters, with their wheels and before the blur.
    """

    image: Image.Image
    text: str
    boxes: np.ndarray
    colour: np.ndarray
    ink: np.ndarray


def draw(style: Style, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """An RGB image of `style.width` x `style.height` and its text, determined by `rng`.

    Compression and palette of the style's file format are applied by `encoding.save`.
    """
    labelled = draw_labelled(style, rng)
    return labelled.image, labelled.text


def draw_labelled(style: Style, rng: np.random.Generator) -> LabelledImage:
    """The same image with its properties."""
    with _seeded(rng):
        text = (
            _sum(style.sums, rng)
            if style.sums
            else "".join(rng.choice(list(style.characters), _integer(rng, style.length)))
        )
        width, height = _integer(rng, style.width), _integer(rng, style.height)
        image = _background(style, height, width, rng)
        ink = _colour(rng, style.text_colours, style.colour_jitter)
        _letters(style, image, rng)
        line = _line(style, text, ink, rng)
        boxes, opacity = _paste(style, image, line, rng)
        _clutter(style, image, ink, rng)
        if style.ripple:
            image, opacity, boxes = _ripple(image, opacity, boxes, style.ripple, rng)
        if style.bulge:
            image, opacity, boxes = _bulge(image, opacity, boxes, style.bulge, rng)
        if style.border:
            ImageDraw.Draw(image).rectangle((0, 0, width - 1, height - 1), outline=ink, width=style.border)
        image = _speckle(image, style.speckle, rng) if style.speckle else image
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(*style.blur)))
    return LabelledImage(image, text, boxes, np.mean(line.colours, axis=0), np.asarray(opacity) > 127)
