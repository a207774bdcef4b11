"""Frames of two views that show the same place of the image."""

from __future__ import annotations

import tensorflow as tf


def same_position(geometry: tf.Tensor, grid: tuple[int, int], reach: float, filled=None) -> tf.Tensor:
    """`bool [B, T, T]`: whether a frame of the first view (rows) and one of the second (columns) are near on the image.

    geometry: `[B, 2, 4]`, factor and offset of the way the image went in each view, along x in its widths, then along y
    in its heights. grid: rows and columns of frames, T in all, row by row. filled: `[B]`, the part of the widths that
    is no padding (None: all). Near: their centres are less than `reach` of the longer of the two frames' diagonals
    apart, and both on the image, not beside it. Along one row or column of frames only that direction counts. Xie et
    al. 2021, arXiv:2011.10043.
    """
    rows, columns = grid
    position = tf.range(rows * columns)
    distance, diagonal, inside = 0.0, 0.0, True
    for count, number, way, end in (
        (columns, position % columns, geometry[..., :2], 1.0 if filled is None else filled[:, None, None]),
        (rows, position // columns, geometry[..., 2:], 1.0),
    ):
        if count == 1:
            continue
        factor, offset = way[..., :1], way[..., 1:]
        centre = ((tf.cast(number, tf.float32) + 0.5) / count - offset) / factor  # [B, 2, T]
        inside = inside & (centre >= 0) & (centre <= end)
        distance += (centre[:, 0, :, None] - centre[:, 1, None, :]) ** 2
        diagonal += 1 / (count * factor) ** 2  # [B, 2, 1]
    near = distance < reach**2 * tf.reduce_max(diagonal, axis=1, keepdims=True)
    return near & inside[:, 0, :, None] & inside[:, 1, None, :]
