"""Lightness and colour of a record apart. Host wing: never imports TensorFlow."""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.recipes.text import follow
from seqclr.recipes.views import single


class LightAndColour:
    """Two sights of one view, `views: uint8 [2, H, W, 3]`: its lightness in all channels, and its colour, a and b of
    CIE Lab and an empty channel; `geometry: float32 [2, 4]` as in TwoViews, the same for both.
    """

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        view, _, geometry = follow(self.views, record, rng)
        rest = {key: value for key, value in record.items() if key != "image"}
        return {"views": apart(view), "geometry": np.stack([geometry] * 2), **rest}


def apart(image: np.ndarray) -> np.ndarray:
    """`uint8 [2, H, W, 3]` of `[H, W, 3]`: L, L, L and a, b, 128, which is neither colour."""
    light, a, b = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2LAB))
    return np.stack([cv2.merge([light] * 3), cv2.merge([a, b, np.full_like(a, 128)])])


def is_gray(image: np.ndarray) -> bool:
    """Whether one colour is all that an image has."""
    return not np.ptp(apart(image)[1], axis=(0, 1)).any()
