"""The instance mapping of SeqCLR: frames to the instances that a loss compares.

`frames:5`   windows of 5 frames, ceil(T / 5) of them, aligned as those of AvgPool1D(5, padding="same")
`windows:N`  N windows of equal length, however many frames there are
`all`        one instance, the mean of all frames
`none`       every frame is an instance

Windows of a padded line are those of the line without its padding.
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
    """The frames of each window of a line of `frames` frames, as 0 and 1, `[N, T]`."""
    first, last = _edges(kind, np.array([frames]), count(kind, frames))
    return _inside(first, last, np.arange(frames)).astype(np.float32)[0]


def count(kind: str, frames):
    """The number of windows of lines of `frames` frames, a number or `int [...]`."""
    check_frames(kind)
    if kind == "none":
        return frames
    if kind == "all":
        return 0 * frames + 1
    unit, number = kind.split(":")
    return -(-frames // int(number)) if unit == "frames" else 0 * frames + int(number)


def _edges(kind: str, frames, number: int):
    """The first frame of each of `number` windows and that after its last, `int [B, number]`, of lines of
    `frames: int [B]`; of windows that a line lacks they lie beyond its ends."""
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
    """Whether each frame is in each window, `bool [B, N, T]`."""
    return (position >= first[..., None]) & (position < last[..., None])


def parents(kind: str, coarse: str, frames: int, filled):
    """The window of the mapping `coarse`, `all` or `windows:N`, around the middle of each window of `kind`.

    filled: `int32 [B]`, how many of the `frames` are no padding. Returns `int32 [B, N]`.
    """
    first, last = (ops.clip(edge, 0, filled[:, None]) for edge in _edges(kind, filled, count(kind, frames)))
    number = count(coarse, frames)
    return ops.clip((first + last) * number // (2 * filled[:, None]), 0, number - 1)


def pool(x, kind: str, mask=None, geometry=None, image_frames: int | None = None, filled=None):
    """Pools frames `[B, T, D]` into instances `[B, N, D]`; also which of them are valid, `[B, N]` (None: all).

    Padding is excluded. geometry: `[B, 4]`, scale and offset of the image in a view, along x in widths of the view,
    then along y, which is not used here. The windows are then those of the image: a frame is weighted by how much of it
    the window covers, and a window that is more than half outside the view is invalid. image_frames: the number of
    frames of the image, where a crop has fewer; geometry is then in widths of the crop. filled: `int [B]`, how many of
    them are no padding, where the mask does not say so.
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
    return _means(x, weights), shown


def pool_spans(x, spans, mask, geometry):
    """As `pool` by geometry, of strips of the image instead of windows.

    spans: `[B, N, 2]`, the first and the last column of each strip, in widths of the image; an empty strip is invalid.
    """
    first, last = (spans[..., i] * x.shape[1] for i in range(2))
    weights, shown = _strips(x, first, last, mask, geometry, x.shape[1])
    return _means(x, weights), shown


def _means(x, weights):
    """Weighted means of frames, `[B, N, D]`; 0 where all weights are 0."""
    total = ops.sum(weights, axis=2, keepdims=True)
    return ops.einsum("bnt,btd->bnd", weights / ops.where(total > 0, total, 1.0), x)


def _strips(x, first, last, mask, geometry, image_frames: int):
    """How much of each frame of a view the windows of the image cover, `[B, N, T]`, and their validity, `[B, N]`."""
    frames = x.shape[1]
    position = ops.arange(frames, dtype=x.dtype)
    factor, offset = geometry[:, :1] * (frames / image_frames), geometry[:, 1:2] * frames
    first, last = (factor * ops.cast(edge, x.dtype) + offset for edge in (first, last))  # in frames of the view
    first, last = ops.minimum(first, last), ops.maximum(first, last)  # reversed in a mirrored view
    covered = ops.minimum(last[..., None], position + 1) - ops.maximum(first[..., None], position)
    covered = ops.maximum(covered, 0.0)
    if mask is not None:
        covered = covered * ops.cast(mask, x.dtype)[:, None, :]
    total = ops.sum(covered, axis=2)
    return covered, (total > 0) & (
        total >= 0.5 * (last - first) - 1e-3
    )  # exactly half counts as valid, despite rounding
