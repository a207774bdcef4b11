"""Lines with their flipped or turned copy laid over them. Host side: never imports TensorFlow.

Gao et al. 2024 (symmetric superimposition modeling), arXiv:2405.05841.
"""

from __future__ import annotations

import numpy as np

from seqclr.transforms.apply import augment_with_geometry, content_width
from seqclr.transforms.views import single

INVERSIONS = {"mirrored": (False, True), "upside down": (True, False), "turned": (True, True)}  # rows, columns reversed


class SuperimposedViews:
    """Two views, each the mean of an augmented line and its inversion: `views: uint8 [2, H, W, 3]`.

    `inversion: int32` is the index in INVERSIONS, the same for both views. `originals: uint8 [2, H, W]` are the gray
    image, aligned with the first view but not otherwise augmented, and its inversion. `geometry` and
    `inverted_geometry`, `float32 [2, 4]`, are those of the line and of its inversion in each view, as in TwoViews.
    """

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        (first, original, _), (second, _, _) = seen = [augment_with_geometry(self.views, record, rng) for _ in range(2)]
        width, inversion = content_width(record), int(rng.integers(len(INVERSIONS)))
        reverse = list(INVERSIONS.values())[inversion]
        gray = original.mean(-1).round().astype(np.uint8)
        geometry = np.stack([geometry for *_, geometry in seen])
        rest = {key: value for key, value in record.items() if key != "image"}
        return {
            "views": np.stack([superimposed(view, width, *reverse) for view in (first, second)]),
            "geometry": geometry,
            "inverted_geometry": inverted_geometry(geometry, width / first.shape[1], *reverse),
            "inversion": np.int32(inversion),
            "originals": np.stack([gray, inverted(gray, width, *reverse)]),
            **rest,
        }


def inverted(image: np.ndarray, width: int, rows: bool, columns: bool) -> np.ndarray:
    """The image with rows or columns reversed, without its padding."""
    result = image.copy()
    result[:, :width] = image[:: -1 if rows else 1, :width][:, :: -1 if columns else 1]
    return result


def superimposed(image: np.ndarray, width: int, rows: bool, columns: bool) -> np.ndarray:
    """The mean of the image and its inversion."""
    return ((image.astype(np.uint16) + inverted(image, width, rows, columns) + 1) // 2).astype(np.uint8)


def inverted_geometry(geometry: np.ndarray, width: float, rows: bool, columns: bool) -> np.ndarray:
    """The geometry `[..., 4]` of the inversion of views; width: that without padding, in widths of the image."""
    result = geometry.copy()
    if columns:
        result[..., :2] = np.array([0, width], np.float32) - geometry[..., :2]
    if rows:
        result[..., 2:] = np.array([0, 1], np.float32) - geometry[..., 2:]
    return result
