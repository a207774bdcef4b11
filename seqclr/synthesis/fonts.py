"""Fonts: bundled ones, files, and the characters that each can draw. Host side."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import captcha.image
from PIL import ImageFont

from seqclr.errors import UserError

FONT_FILES = (".ttf", ".otf")


@lru_cache
def bundled_fonts() -> dict[str, Path]:
    """The fonts that ship inside captcha and matplotlib, by name."""
    import matplotlib  # slow, and needed for drawing only

    folders = Path(captcha.image.DATA_DIR), Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.ttf"))}


def find_fonts(fonts: str) -> list[str]:
    """The fonts of a name (a bundled font), of a .ttf or .otf file, or of a folder with such files at any depth.

    Raises UserError where there are none.
    """
    if not os.path.isdir(fonts):
        load_font(fonts, 24)
        return [fonts]
    found = sorted(str(path) for path in Path(fonts).rglob("*") if path.suffix.lower() in FONT_FILES)
    if not found:
        raise UserError(f"fonts {fonts}: the folder holds no {' or '.join(FONT_FILES)} file")
    return found


@lru_cache(maxsize=256)
def load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A bundled font or a font file in a size in pixels. Raises UserError where there is none."""
    path = bundled_fonts().get(name, Path(name))
    try:
        # the basic layout is in every build of Pillow; the default differs between machines
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        if os.path.isfile(path):
            raise UserError(f"{name} is not a font that can be opened ({error}): give another one") from None
        known = ", ".join(bundled_fonts())
        raise UserError(f"no font {name!r}: give the path of a .ttf or .otf file or one of {known}") from None


def missing_characters(characters: str, name: str) -> str:
    """The characters that a font draws as nothing or as its box for missing characters."""
    font = load_font(name, 24)

    def shape(sign: str) -> tuple[tuple[int, int], bytes]:
        mask = font.getmask(sign)
        return mask.size, bytes(mask)

    unknown = shape("\uffff")  # never a character
    return "".join(c for c in characters if font.getmask(c).getbbox() is None or shape(c) == unknown)
