"""Tiles of images. Host side: never imports TensorFlow."""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.transforms.apply import filled
from seqclr.transforms.views import single

OVERLAP = 0.3  # by what a tile is longer than its share of the side


def is_line(height: int, width: int) -> bool:
    """Whether an image of that size is cut along one direction only, so that no character is cut across."""
    return width > 2 * height


def tiling(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the four tiles: strips along the line where it is one."""
    return (1, 4) if is_line(height, width) else (2, 2)


class Tiles:
    """Four overlapping tiles of an image in reading order, each augmented apart: `tiles: uint8 [4, h, w, 3]`.

    Each is resized to its share of the image, so that four make an image of the image's size; of a padded line, what is
    image is cut up. Chen et al. 2021 (Jigsaw Clustering), arXiv:2104.00323.
    """

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        height, width = record["image"].shape[:2]
        rows, columns = tiling(height, width)
        image, size = record["image"][:, : filled(record)], (width // columns, height // rows)
        tiles = [
            self.views(cv2.resize(image[down, across], size, interpolation=cv2.INTER_LINEAR), rng)
            for down in _shares(height, rows)
            for across in _shares(image.shape[1], columns)
        ]
        return {"tiles": np.stack(tiles), "index": record["index"]}


def _shares(length: int, count: int) -> list[slice]:
    """Overlapping parts of a side, evenly spaced from its one end to the other."""
    size = max(1, round(length * (1 + OVERLAP) / count))
    return [slice(start, start + size) for start in np.linspace(0, length - size, count).round().astype(int)]
