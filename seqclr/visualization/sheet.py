"""Contact sheets: images and texts in columns under their titles, written as a PNG. Host side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from seqclr import files
from seqclr.errors import UserError

GAP, LINE, LETTER = 4, 14, 6  # pixels between cells, height of a line of text, width of a letter
SMALL = 256  # pixels of width up to which images are drawn at twice their size


def sheet(columns: dict[str, Sequence[np.ndarray] | Sequence[str]], output: str | Path) -> None:
    """Draws columns under their titles and writes a PNG, atomically. Raises files.NotWritten.

    columns: by title, images `uint8 [B, h, w, 3]`, of any size, or B short texts. Images up to 256 pixels wide are
    drawn at twice their size.
    """
    cells = {title: [_cell(cell) for cell in column] for title, column in columns.items()}
    widths = {title: max(LETTER * len(title), *(cell.width for cell in column)) for title, column in cells.items()}
    heights = [max(cell.height for cell in row) for row in zip(*cells.values(), strict=True)]
    size = sum(widths.values()) + GAP * (len(cells) + 1), LINE + sum(heights) + GAP * (len(heights) + 1)
    canvas = Image.new("RGB", size, "lightgray")
    left = GAP
    for title, column in cells.items():
        ImageDraw.Draw(canvas).text((left, 1), title, fill="black")
        top = LINE + GAP
        for cell, height in zip(column, heights):
            canvas.paste(cell, (left, top))
            top += height + GAP
        left += widths[title] + GAP
    with files.atomic_write(Path(output), binary=True) as stream:
        canvas.save(stream, "PNG")


def check_output(path: Path) -> None:
    """Raises UserError where no new PNG can be written at the path."""
    if path.suffix.lower() != ".png":
        raise UserError(f"{path} does not end in .png: the image is written as PNG")
    if not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: there is no folder {path.parent}")
    files.check_new(path)


def _cell(content: np.ndarray | str) -> Image.Image:
    if isinstance(content, str):
        cell = Image.new("RGB", (LETTER * len(content) + GAP, LINE), "lightgray")
        ImageDraw.Draw(cell).text((0, 1), content, fill="black")
        return cell
    times = 2 if content.shape[1] <= SMALL else 1
    return Image.fromarray(np.repeat(np.repeat(content, times, axis=0), times, axis=1))
