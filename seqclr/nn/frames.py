"""Frames to instances: what a loss compares.

`frames:5`   windows of 5 frames, ceil(T / 5) of them, placed as AvgPool1D(5, padding="same") places them
`windows:N`  N windows of equal length, however many frames there are
`all`        one instance, the mean of all frames
`none`       every frame alone
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
    """Which frames each window holds, as 0 and 1: `[N, T]`."""
    check_frames(kind)
    if kind == "none":
        return np.eye(frames, dtype=np.float32)
    if kind == "all":
        return np.ones((1, frames), np.float32)
    unit, count = kind.split(":")
    place = np.arange(frames)
    if unit == "frames":
        size = int(count)
        number = -(-frames // size)
        first = np.arange(number) * size - (number * size - frames) // 2
        last = first + size
    else:
        number = int(count)
        first = np.arange(number) * frames // number
        last = -(-(np.arange(number) + 1) * frames // number)
    return ((place >= first[:, None]) & (place < last[:, None])).astype(np.float32)


def pool(x, kind: str, mask=None, geometry=None, page: int | None = None):
    """Instances of `[B, T, D]`: `[B, N, D]`, and which of them hold any image, `[B, N]` (None: all).

    Padded frames do not count in the mean. `windows:N` divides the frames with their padding.
    geometry: `[B, 4]`, factor and offset of the way the page went in a view, along x in its widths, then along y, which
    is of no matter here. The windows are then those of the page: a frame counts in a window by how much of it the
    window covers, and a window of which more than half has left the view holds no image. page: how many frames the page
    has, where a small view has fewer; geometry then counts in widths of the small view.
    """
    weights = ops.convert_to_tensor(windows(kind, page or x.shape[1]), x.dtype)
    if geometry is not None:
        return _pool_strips(x, weights, mask, geometry)
    if mask is None:
        return ops.einsum("nt,btd->bnd", weights / ops.sum(weights, axis=1, keepdims=True), x), None
    weights = weights[None] * ops.cast(mask, x.dtype)[:, None, :]
    total = ops.sum(weights, axis=2, keepdims=True)
    return ops.einsum("bnt,btd->bnd", weights / ops.maximum(total, 1.0), x), total[..., 0] > 0


def _pool_strips(x, weights, mask, geometry):
    """Windows of the page, wherever a view shows them."""
    frames, page = x.shape[1], weights.shape[1]
    place = ops.arange(page, dtype=x.dtype)
    first = ops.min(ops.where(weights > 0, place, float(page)), axis=1)
    last = ops.max(ops.where(weights > 0, place, -1.0), axis=1) + 1
    place = ops.arange(frames, dtype=x.dtype)
    factor, offset = geometry[:, :1] * (frames / page), geometry[:, 1:2] * frames
    first, last = (factor * edge[None] + offset for edge in (first, last))  # [B, N], in frames of the view
    first, last = ops.minimum(first, last), ops.maximum(first, last)  # a mirrored view has them the other way round
    shown = ops.minimum(last[..., None], place + 1) - ops.maximum(first[..., None], place)
    shown = ops.maximum(shown, 0.0)  # [B, N, T]
    if mask is not None:
        shown = shown * ops.cast(mask, x.dtype)[:, None, :]
    total = ops.sum(shown, axis=2)
    pooled = ops.einsum("bnt,btd->bnd", shown / ops.maximum(total, 1e-6)[..., None], x)
    return pooled, total > 0.5 * (last - first)
