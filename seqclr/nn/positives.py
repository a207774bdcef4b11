"""Positive pairs of frames: those of two views at the same position in the image."""

from __future__ import annotations

import tensorflow as tf


def same_position(geometry: tf.Tensor, grid: tuple[int, int], reach: float, filled=None) -> tf.Tensor:
    """Whether frames of the first view (rows) and of the second (columns) are close in the image, `bool [B, T, T]`.

    geometry: `[B, 2, 4]`, scale and offset of the image in each view, along x in its widths, then along y in its
    heights. grid: rows and columns of frames, T in all, row by row. filled: `[B]`, the fraction of the widths that is
    no padding (None: all). Close: the distance of the centres is less than `reach` times the longer diagonal of the two
    frames, and both centres are inside the image. With one row or column of frames only the other axis is used. Xie et
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
