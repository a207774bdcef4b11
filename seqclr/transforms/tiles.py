"""Overlapping tiles of an image. Host side: never imports TensorFlow."""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.transforms.apply import content_width, others_of
from seqclr.transforms.views import single

OVERLAP = 0.3  # excess of a tile's side over an equal share of the image's side


def is_line(height: int, width: int) -> bool:
    """Whether images of this size count as text lines, which are divided along their width only."""
    return width > 2 * height


def tiling(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the four tiles: (1, 4) for lines, (2, 2) for other images."""
    return (1, 4) if is_line(height, width) else (2, 2)


class Tiles:
    """Four overlapping tiles of an image in reading order, augmented independently: `tiles: uint8 [4, h, w, 3]`.

    Each is resized to a quarter of the image, so that four tiles form an image of the same size. The padding of lines
    is left out. Chen et al. 2021 (Jigsaw Clustering), arXiv:2104.00323.
    """

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        height, width = record["image"].shape[:2]
        rows, columns = tiling(height, width)
        image, size = record["image"][:, : content_width(record)], (width // columns, height // rows)
        tiles = [
            self.views(cv2.resize(image[down, across], size, interpolation=cv2.INTER_LINEAR), rng, others_of(record))
            for down in _shares(height, rows)
            for across in _shares(image.shape[1], columns)
        ]
        return {"tiles": np.stack(tiles), "index": record["index"]}


def _shares(length: int, count: int) -> list[slice]:
    """Overlapping parts of a side, evenly spaced from end to end."""
    size = max(1, round(length * (1 + OVERLAP) / count))
    return [slice(start, start + size) for start in np.linspace(0, length - size, count).round().astype(int)]
