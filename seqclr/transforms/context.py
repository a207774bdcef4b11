"""Two parts of an image and their relative position. Host side: never imports TensorFlow.

Doersch et al. 2015 (Context Prediction), arXiv:1505.05192.
"""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.errors import UserError
from seqclr.transforms.apply import augment, content_width
from seqclr.transforms.slices import slices
from seqclr.transforms.tiles import is_line
from seqclr.transforms.views import single

PATCH, JITTER = 96 / 144, 7 / 144  # in cells of the grid; the rest of a cell, 48 / 144, is the gap
LEAST = 8  # pixels: the least that encoders accept
ENOUGH = 10  # pixels: the side to which patches of small images grow into the gap
FLAT = 25.0  # added to the variance of a part, so that flat parts stay flat
COARSE = 1 / 3  # fraction of the patches that are reduced to a lower resolution
GREEN = np.array([-1, 2, -1]) / 6**0.5  # the green-magenta direction, in which gray is 0
FRINGELESS = np.eye(3) - np.outer(GREEN, GREEN)
NEIGHBOURS = {
    "above left": (0, 0), "above": (0, 1), "above right": (0, 2), "left": (1, 0),
    "right": (1, 2), "below left": (2, 0), "below": (2, 1), "below right": (2, 2),
}  # fmt: skip
OFFSETS = {"2 to the left": -2, "1 to the left": -1, "1 to the right": 1, "2 to the right": 2}


def offset_names(height: int, width: int) -> list[str]:
    """The names of the positions of the second part relative to the first, for images of this size."""
    if not is_line(height, width):
        return list(NEIGHBOURS)
    return [name for name, offset in OFFSETS.items() if abs(offset) < width // height]


def part_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the parts of an image of this size. Raises UserError where they are too small."""
    if is_line(height, width):
        return height, height
    cell = min(height, width) / 3
    side = max(round(PATCH * cell), min(ENOUGH, int(cell) - 1))
    if side < LEAST:
        least = 3 * (LEAST + 1)
        raise UserError(
            f"height {height} and width {width}: 3x3 patches of {LEAST} pixels and gaps need at least {least} each"
        )
    return side, side


class ContextPair:
    """Two parts of an image, `tiles: uint8 [2, h, w, 3]`, and their offset's index in `offset_names`, `label: int32`.

    In an image: the middle and a neighbour in a 3x3 grid as large as the shorter side, with gaps and jitter. Their
    green-magenta component is removed, as the colour fringes of a lens reveal the distance from the middle, and some
    are reduced to a lower resolution and enlarged again. In a line: two slices of about its height, at most two apart.
    Each part gets the mean colour and the contrast of the image: the authors' code normalises both, and with their own,
    lower contrast the statistics of batch norm would not be those of whole images.

    The paper's alternative, to replace two colour channels by noise, is left out: no encoder sees such images later.
    """

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        size = record["image"].shape[:2]
        record = {**record, "image": augment(self.views, record, rng)}
        tiles, offset_name = (_along if is_line(*size) else _around)(record, rng)
        image = record["image"][:, : content_width(record)]
        tiles = tiles - tiles.mean((1, 2), keepdims=True)
        contrast = np.sqrt(np.square(tiles).mean((1, 2, 3), keepdims=True) + FLAT)
        tiles = tiles / contrast * np.sqrt(image.var((0, 1)).mean()) + image.mean((0, 1))
        return {
            "tiles": np.rint(tiles).clip(0, 255).astype(np.uint8),
            "label": np.int32(offset_names(*size).index(offset_name)),
            "index": record["index"],
        }


def _along(record: dict, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    height = len(record["image"])
    count = max(2, content_width(record) // height)
    offset_name = rng.choice([name for name, offset in OFFSETS.items() if abs(offset) < count])
    offset = OFFSETS[offset_name]
    first = rng.integers(max(0, -offset), min(count, count - offset))
    return slices(record, count, height)[[first, first + offset]], offset_name


def _around(record: dict, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    offset_name = rng.choice(list(NEIGHBOURS))
    size = np.array(record["image"].shape[:2])
    side, _ = part_size(*size)
    cell = min(size) / 3
    play = min(2 * JITTER * cell, cell - side - 1)  # at least one pixel of gap is left
    corner = rng.uniform(0, size - 3 * cell) + (cell - side - play) / 2
    parts = []
    for at in ((1, 1), NEIGHBOURS[offset_name]):
        y, x = (corner + np.array(at) * cell + rng.uniform(0, play, 2)).astype(int)
        parts.append(_coarse(record["image"][y : y + side, x : x + side] @ FRINGELESS, rng))
    return np.stack(parts), offset_name


def _coarse(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A third of the patches are reduced to at least 10x10 pixels and enlarged again."""
    side = len(patch)
    if rng.random() > COARSE or side <= ENOUGH:
        return patch
    small = (int(rng.integers(ENOUGH, side)),) * 2
    small = cv2.resize(patch, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
