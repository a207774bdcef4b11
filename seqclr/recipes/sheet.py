"""Sheets: pictures and words side by side, as of augmented views. Host wing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from seqclr import files, memory
from seqclr.data.loader import Fitted
from seqclr.data.records import find_unlabelled
from seqclr.errors import UserError
from seqclr.files import check_new
from seqclr.recipes.readable import check_views
from seqclr.recipes.text import augment, part
from seqclr.recipes.views import Views, drawn

GAP, LINE, LETTER = 4, 14, 6  # pixels between cells, of a line of words, and of a letter's width
MOST_PIXELS = 10**8  # of a sheet of views
SMALL = 256  # pixels of width up to which pictures are drawn at twice their size


def sheet(columns: dict[str, Sequence[np.ndarray] | Sequence[str]], output: str | Path) -> None:
    """Draws columns under their titles and writes a PNG, which appears whole or not at all.

    columns: by title, pictures `uint8 [B, h, w, 3]`, of any size, or B short words. Small pictures are drawn at twice
    their size.
    """
    cells = {title: [_cell(cell) for cell in column] for title, column in columns.items()}
    widths = {title: max(LETTER * len(title), *(cell.width for cell in column)) for title, column in cells.items()}
    heights = [max(cell.height for cell in row) for row in zip(*cells.values(), strict=True)]
    size = sum(widths.values()) + GAP * (len(cells) + 1), LINE + sum(heights) + GAP * (len(heights) + 1)
    page = Image.new("RGB", size, "lightgray")
    left = GAP
    for title, column in cells.items():
        ImageDraw.Draw(page).text((left, 1), title, fill="black")
        top = LINE + GAP
        for cell, height in zip(column, heights):
            page.paste(cell, (left, top))
            top += height + GAP
        left += widths[title] + GAP
    with files.whole(Path(output), binary=True) as stream:
        page.save(stream, "PNG")


def _cell(content: np.ndarray | str) -> Image.Image:
    if isinstance(content, str):
        cell = Image.new("RGB", (LETTER * len(content) + GAP, LINE), "lightgray")
        ImageDraw.Draw(cell).text((0, 1), content, fill="black")
        return cell
    times = 2 if content.shape[1] <= SMALL else 1
    return Image.fromarray(np.repeat(np.repeat(content, times, axis=0), times, axis=1))


def show_views(
    data: Sequence[str],
    views: str,
    output: str,
    height: int = 32,
    width: int = 128,
    resize: str = "stretch",
    count: int = 8,
    copies: int = 6,
    seed: int = 0,
) -> None:
    """Draws a row per image: the image as it is fitted, then its views. Writes a PNG.

    Raises UserError if an argument or the data are wrong, or the output is there already.
    """
    check_new(Path(output))
    if count < 1 or copies < 1:
        raise UserError("images and copies: at least 1 each")
    pixels = count * (copies + 1) * height * width * 3
    memory.check_fits(2 * pixels, f"a sheet of images {count} and copies {copies} of {height}x{width}", "lower them")
    augmentations, rng = drawn(views, copies), np.random.default_rng(seed)
    check_views(views, height, width)
    if (pixels := 4 * count * (1 + len(augmentations)) * height * width) > MOST_PIXELS:
        raise UserError(f"the sheet would have {pixels / 1e6:.0f} million pixels: take fewer images or copies")
    entries = find_unlabelled(data)
    chosen = sorted(rng.choice(len(entries), min(count, len(entries)), replace=False))
    fitted = Fitted([entries[i] for i in chosen], height, width, resize, skip_bad=True)
    records = [fitted[row] for row in range(len(fitted))]
    rows = [[record["image"], *(shown(*views, record, rng) for views in augmentations)] for record in records]
    titles = ["as it is", *(f"{views} {i}" for i in range(1, len(augmentations) + 1))]
    sheet(dict(zip(titles, zip(*rows))), output)


def shown(views: Views, size: tuple[float, float] | None, record: dict, rng: np.random.Generator) -> np.ndarray:
    """A view as it is drawn, full or small."""
    return part(views, size, record, rng)[0] if size else augment(views, record, rng)
