"""A contact sheet of augmented views. Host wing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from seqclr.data.loader import Fitted
from seqclr.data.records import find_unlabelled
from seqclr.errors import UserError
from seqclr.recipes.text import augment, part
from seqclr.recipes.views import Views, drawn

GAP, TITLE = 4, 14


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
    """Draws a row per image: the image as it is fitted, then its views, at twice their size. Writes a PNG."""
    if Path(output).exists():
        raise UserError(f"{output} exists already: choose another --output")
    if count < 1 or copies < 1:
        raise UserError("images and copies: at least 1 each")
    augmentations, rng = drawn(views, copies), np.random.default_rng(seed)
    entries = find_unlabelled(data)
    chosen = sorted(rng.choice(len(entries), min(count, len(entries)), replace=False))
    fitted = Fitted([entries[i] for i in chosen], height, width, resize, skip_bad=True)
    cell = (2 * width + GAP, 2 * height + GAP)
    sheet = Image.new("RGB", (cell[0] * (len(augmentations) + 1), TITLE + cell[1] * len(fitted)), "lightgray")
    ImageDraw.Draw(sheet).text((GAP, 1), f"as it is, then views: {views}", fill="black")
    for row in range(len(fitted)):
        record = fitted[row]
        for column, image in enumerate([record["image"], *(shown(*views, record, rng) for views in augmentations)]):
            place = (column * cell[0], TITLE + row * cell[1])
            sheet.paste(
                Image.fromarray(image).resize((2 * image.shape[1], 2 * image.shape[0]), Image.Resampling.NEAREST), place
            )
    try:
        sheet.save(output, "PNG")
    except OSError as error:
        raise UserError(f"{output} cannot be written ({error.strerror}): check the path") from None


def shown(views: Views, size: tuple[float, float] | None, record: dict, rng: np.random.Generator) -> np.ndarray:
    """A view as it is drawn, full or small."""
    return part(views, size, record, rng)[0] if size else augment(views, record, rng)
