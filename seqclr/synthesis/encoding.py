"""The file formats of generated images, with the loss of each. Host side."""

from __future__ import annotations

import io
import os
from typing import IO

from PIL import Image

from seqclr.synthesis.styles import Style


def save(style: Style, image: Image.Image, file: str | os.PathLike | IO[bytes]) -> None:
    """Writes an image in the style's file format, whatever the file's ending."""
    if style.format == "jpg":
        image.save(file, "JPEG", quality=style.quality, optimize=True)
    else:
        reduced(style, image).save(file, "PNG", optimize=True)


def reduced(style: Style, image: Image.Image) -> Image.Image:
    """The image in the colours that a png of this style keeps."""
    if style.palette == 2:
        return image.convert("1", dither=Image.Dither.NONE)
    return image.quantize(style.palette, dither=Image.Dither.NONE) if style.palette else image


def loaded(style: Style, image: Image.Image) -> Image.Image:
    """The image as it is loaded from a file of the style."""
    if style.format == "jpg":
        file = io.BytesIO()
        save(style, image, file)
        image = Image.open(file)
    else:  # a png loses only colours
        image = reduced(style, image)
    return image.convert("RGB")
