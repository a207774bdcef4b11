"""Shuffled tiles of an image. Host side: never imports TensorFlow.

Noroozi & Favaro 2016 (Jigsaw), arXiv:1603.09246.
"""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.errors import UserError
from seqclr.transforms.apply import augment, content_width
from seqclr.transforms.permutations import permutations
from seqclr.transforms.slices import slices
from seqclr.transforms.tiles import is_line
from seqclr.transforms.views import single

SLICES = 4  # of a line
TILE = 64 / 75  # side of a tile, in sides of its cell
FRINGES = 2 / 64  # largest offset between colour channels, in sides of a tile
LEAST = 8  # pixels: the least that encoders accept
GRAY = 0.3  # fraction of the images that are converted to gray


def tile_size(height: int, width: int, grid: int) -> tuple[int, int]:
    """Height and width of the tiles of an image of this size. Raises UserError where they are too small."""
    if is_line(height, width):
        size, kind = (height, width // SLICES), f"{SLICES} slices"
    else:
        size, kind = (round(TILE * height / grid), round(TILE * width / grid)), f"{grid}x{grid} tiles"
    if min(size) < LEAST:
        raise UserError(
            f"height {height} and width {width} leave {kind} of {size[0]}x{size[1]} pixels, and {LEAST} is the least: "
            "take larger images"
        )
    return size


class JigsawTiles:
    """The tiles of an image, permuted: `tiles: uint8 [N, h, w, 3]`, and the permutation's index, `label: int32`.

    An image gives grid x grid tiles at random positions within their cells, so that edges do not match; a line gives
    slices. Some images are gray, the colour channels of the others are shifted against each other, and each tile is
    normalized to the mean and deviation of the image: neither colour fringes nor brightness reveal the position.

    count: number of permutations, at most all that exist.
    """

    def __init__(self, views: str, grid: int, count: int):
        self.views, self.grid, self.count = single(views), grid, count

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        height, width = record["image"].shape[:2]
        image = augment(self.views, record, rng)
        gray = rng.random() < GRAY
        if gray:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        if is_line(height, width):
            tiles = slices({**record, "image": image}, SLICES, width // SLICES)
        else:
            tiles = cut(image, self.grid, rng, fringes=0 if gray else FRINGES)
        orders = permutations(len(tiles), self.count)
        label = rng.integers(len(orders))
        tiles = _normalized(tiles, image[:, : content_width(record)])[orders[label]]
        return {"tiles": tiles, "label": np.int32(label), "index": record["index"]}


def cut(image: np.ndarray, grid: int, rng: np.random.Generator, fringes: float = 0.0) -> np.ndarray:
    """A tile at a random position in every cell of an image: `uint8 [grid * grid, h, w, 3]`, in reading order.

    fringes: largest offset of a colour channel, in sides of the tile; no channel leaves its cell.
    """
    size = np.array(tile_size(*image.shape[:2], grid))
    cell = np.array(image.shape[:2]) / grid
    moved = np.rint(fringes * size).astype(int)
    tiles = []
    for at in np.ndindex(grid, grid):
        corner = rng.uniform(0, cell - size)
        corners = np.clip(corner + rng.integers(-moved, moved + 1, (3, 2)), 0, cell - size) + at * cell
        channels = [image[y : y + size[0], x : x + size[1], c] for c, (y, x) in enumerate(corners.astype(int))]
        tiles.append(np.stack(channels, axis=-1))
    return np.stack(tiles)


def _normalized(tiles: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Normalizes each channel of each tile to the mean and deviation of the image; flat tiles stay flat."""
    deviations = np.sqrt(tiles.var((1, 2), keepdims=True) + 25.0)
    levels = (tiles - tiles.mean((1, 2), keepdims=True)) / deviations * image.std((0, 1)) + image.mean((0, 1))
    return np.rint(levels).clip(0, 255).astype(np.uint8)
