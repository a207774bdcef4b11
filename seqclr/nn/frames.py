"""Frames to instances: what a loss compares.

`frames:5`   windows of 5 frames, ceil(T / 5) of them, placed as AvgPool1D(5, padding="same") places them
`windows:N`  N windows of equal length, however many frames there are
`all`        one instance, the mean of all frames
`none`       every frame alone

A padded line has the windows of the line alone: where its padding ends is of no matter.
"""

from __future__ import annotations

import re

import numpy as np
from keras import ops

from seqclr.errors import UserError


def check_frames(kind: str) -> None:
    """Raises UserError unless `kind` is one of the four."""
    if kind not in ("all", "none") and not re.fullmatch(r"(frames|windows):[1-9][0-9]{0,3}", kind):
        raise UserError(f"frames '{kind}' is not known: frames:5 (windows of 5), windows:4 (4 windows), all, none")


def windows(kind: str, frames: int) -> np.ndarray:
    """Which frames each window of a line of `frames` holds, as 0 and 1: `[N, T]`."""
    first, last = _edges(kind, np.array([frames]), count(kind, frames))
    return _inside(first, last, np.arange(frames)).astype(np.float32)[0]


def count(kind: str, frames):
    """How many windows lines of `frames` have, a number or `int [...]`."""
    check_frames(kind)
    if kind == "none":
        return frames
    if kind == "all":
        return 0 * frames + 1
    unit, number = kind.split(":")
    return -(-frames // int(number)) if unit == "frames" else 0 * frames + int(number)


def _edges(kind: str, frames, number: int):
    """The first frame of each of `number` windows and the one behind its last, `int [B, number]`, of lines of
    `frames: int [B]`; they may lie beyond the line's ends, of windows that it lacks altogether."""
    n, frames = np.arange(number, dtype=np.int32)[None], frames[:, None]
    if kind == "none":
        return n + 0 * frames, n + 1 + 0 * frames
    if kind == "all":
        return n * frames, (n + 1) * frames
    unit, size = kind.split(":")
    size = int(size)
    if unit == "windows":
        return n * frames // size, -(-(n + 1) * frames // size)
    first = n * size - (-frames % size) // 2
    return first, first + size


def _inside(first, last, position):
    """Which frames lie in which windows, `bool [B, N, T]`."""
    return (position >= first[..., None]) & (position < last[..., None])


def pool(x, kind: str, mask=None, geometry=None, image_frames: int | None = None, filled=None):
    """Instances of `[B, T, D]`: `[B, N, D]`, and which of them hold any image, `[B, N]` (None: all).

    Padded frames do not count in the mean; the windows of a line are those of its frames without them. geometry: `[B,
    4]`, factor and offset of the way the image went in a view, along x in its widths, then along y, which is of no
    matter here. The windows are then those of the image: a frame counts in a window by how much of it the window
    covers, and a window of which more than half has left the view holds no image. image_frames: how many frames the
    image has, where a small view has fewer; geometry then counts in widths of the small view. filled: `int [B]`, how
    many of them are no padding, where that is not what the mask says.
    """
    image_frames = image_frames or x.shape[1]
    number = count(kind, image_frames)
    if mask is None and geometry is None:
        weights = ops.convert_to_tensor(windows(kind, image_frames), x.dtype)
        return ops.einsum("nt,btd->bnd", weights / ops.sum(weights, axis=1, keepdims=True), x), None
    if filled is None:
        filled = ops.full((1,), image_frames, "int32") if mask is None else ops.sum(ops.cast(mask, "int32"), axis=1)
    first, last = (ops.clip(edge, 0, filled[:, None]) for edge in _edges(kind, filled, number))
    if geometry is None:
        weights = ops.cast(_inside(first, last, ops.arange(image_frames, dtype="int32")), x.dtype)
        shown = ops.sum(weights, axis=2) > 0
    else:
        weights, shown = _strips(x, first, last, mask, geometry, image_frames)
    total = ops.sum(weights, axis=2, keepdims=True)
    return ops.einsum("bnt,btd->bnd", weights / ops.where(total > 0, total, 1.0), x), shown


def _strips(x, first, last, mask, geometry, image_frames: int):
    """How much of each frame of a view the windows of the image cover, `[B, N, T]`, and which are shown, `[B, N]`."""
    frames = x.shape[1]
    position = ops.arange(frames, dtype=x.dtype)
    factor, offset = geometry[:, :1] * (frames / image_frames), geometry[:, 1:2] * frames
    first, last = (factor * ops.cast(edge, x.dtype) + offset for edge in (first, last))  # in frames of the view
    first, last = ops.minimum(first, last), ops.maximum(first, last)  # a mirrored view has them the other way round
    covered = ops.minimum(last[..., None], position + 1) - ops.maximum(first[..., None], position)
    covered = ops.maximum(covered, 0.0)
    if mask is not None:
        covered = covered * ops.cast(mask, x.dtype)[:, None, :]
    total = ops.sum(covered, axis=2)
    return covered, (total > 0) & (total >= 0.5 * (last - first) - 1e-3)  # of just a half too, however it is rounded
