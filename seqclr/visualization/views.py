"""Contact sheets of augmented views. Host side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqclr import memory
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.errors import UserError
from seqclr.transforms.apply import augment, small_view
from seqclr.transforms.readable import check_views
from seqclr.transforms.views import Views, drawn
from seqclr.visualization.sheet import check_output, sheet

MOST_PIXELS = 10**8  # of a sheet


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
    """Draws a row for each image: the resized image, then its views. Writes a PNG.

    Raises UserError for a wrong argument, wrong data, or an output that exists or does not end in .png.
    """
    check_output(Path(output))
    if count < 1 or copies < 1:
        raise UserError("images and copies: at least 1 each")
    pixels = count * (copies + 1) * height * width * 3
    memory.check_fits(2 * pixels, f"a sheet of images {count} and copies {copies} of {height}x{width}", "lower them")
    augmentations, rng = drawn(views, copies), np.random.default_rng(seed)
    check_views(views, height, width)
    if (pixels := 4 * count * (1 + len(augmentations)) * height * width) > MOST_PIXELS:
        raise UserError(f"the sheet would have {pixels / 1e6:.0f} million pixels: take fewer images or copies")
    samples = find_unlabelled(data)
    chosen = sorted(rng.choice(len(samples), min(count, len(samples)), replace=False))
    dataset = ImageDataset([samples[i] for i in chosen], height, width, resize, skip_bad=True)
    records = [dataset[row] for row in range(len(dataset))]
    rows = [[record["image"], *(shown(*views, record, rng) for views in augmentations)] for record in records]
    titles = ["original", *(f"{views} {i}" for i in range(1, len(augmentations) + 1))]
    sheet(dict(zip(titles, zip(*rows))), output)


def shown(views: Views, size: tuple[float, float] | None, record: dict, rng: np.random.Generator) -> np.ndarray:
    """A view, full or small."""
    return small_view(views, size, record, rng)[0] if size else augment(views, record, rng)
