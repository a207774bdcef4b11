"""Slices of a text line, cut between characters. Host side: never imports TensorFlow."""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.transforms.apply import content_width

REACH = 0.4  # largest offset of a cut from equal division, in widths of a slice; below 0.5, so that cuts stay in order


def cuts(image: np.ndarray, count: int) -> np.ndarray:
    """The columns at which `uint8 [H, W, 3]` is cut into `count` parts: `int [count + 1]`, rising from 0 to W >= count.

    Each cut is next to the column with the least ink within reach; among equals, the nearest to equal division.
    """
    width = image.shape[1]
    share, ink = width / count, _ink(image)
    return np.array([0, *(_cut(ink, round(share * i), int(REACH * share)) for i in range(1, count)), width])


def slices(record: dict, count: int, width: int) -> np.ndarray:
    """The slices of a record's image, without its padding, resized to one width: `uint8 [count, H, width, 3]`.

    They are in reading order. A line of fewer columns than slices is stretched first.
    """
    image = np.ascontiguousarray(record["image"][:, : content_width(record)])
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
    """The best column within reach of a column."""
    near = ink[column - reach - 1 : column + reach + 1]
    through = np.minimum(near[:-1], near[1:])  # a cut between two columns needs one without ink
    away = np.abs(np.arange(-reach, reach + 1)) / max(1, reach)
    return column - reach + int(np.argmin(through + (0.01 * near.max() + 1e-3) * away))


def _ink(image: np.ndarray) -> np.ndarray:
    """The amount of ink in each column, `float [W]`: its contrast within the column plus that to neighbouring columns.

    The background of a column is its median. The first term detects strokes, the second those that fill their column
    from top to bottom; neither responds to a background that changes along the line.
    """
    ground = np.median(image, axis=0).astype(np.uint8)
    around = cv2.medianBlur(ground[None], len(image) | 1)[0]
    strokes = np.abs(image - ground.astype(np.float32)).mean((0, 2))
    return strokes + np.abs(ground - around.astype(np.float32)).mean(1)
