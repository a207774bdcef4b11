"""Slices of a text line, cut where there is no ink. Host side: never imports TensorFlow."""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.transforms.apply import filled

REACH = 0.4  # how far a cut may move from equal division, in widths of a slice: below a half, so that cuts keep order


def cuts(image: np.ndarray, count: int) -> np.ndarray:
    """Where to cut `uint8 [H, W, 3]` into `count` parts: `int [count + 1]` columns, rising from 0 to W >= count.

    Each cut is where the column before or behind it has the least ink within reach; among equals, the nearest to
    equal division.
    """
    width = image.shape[1]
    share, ink = width / count, _ink(image)
    return np.array([0, *(_cut(ink, round(share * i), int(REACH * share)) for i in range(1, count)), width])


def slices(record: dict, count: int, width: int) -> np.ndarray:
    """The slices of what is image in a record, each brought to one width: `uint8 [count, H, width, 3]`, in reading
    order. A line of fewer columns than slices is stretched first."""
    image = np.ascontiguousarray(record["image"][:, : filled(record)])
    height = len(image)
    if image.shape[1] < count:
        image = cv2.resize(image, (count, height), interpolation=cv2.INTER_LINEAR)
    edges = cuts(image, count)
    return np.stack(
        [
            cv2.resize(image[:, start:end], (width, height), interpolation=cv2.INTER_LINEAR)
            for start, end in zip(edges, edges[1:])
        ]
    )


def _cut(ink: np.ndarray, column: int, reach: int) -> int:
    """The best column within reach of a place."""
    near = ink[column - reach - 1 : column + reach + 1]
    through = np.minimum(near[:-1], near[1:])  # of a cut between two columns: one that is clear is enough
    away = np.abs(np.arange(-reach, reach + 1)) / max(1, reach)
    return column - reach + int(np.argmin(through + (0.01 * near.max() + 1e-3) * away))


def _ink(image: np.ndarray) -> np.ndarray:
    """How far the pixels of each column are from its ground, and that from the ground around it, `float [W]`.

    The first finds strokes, the second those that fill their column from top to bottom; neither a ground that changes
    along the line.
    """
    ground = np.median(image, axis=0).astype(np.uint8)
    around = cv2.medianBlur(ground[None], len(image) | 1)[0]
    strokes = np.abs(image - ground.astype(np.float32)).mean((0, 2))
    return strokes + np.abs(ground - around.astype(np.float32)).mean(1)
