"""Distorted patches of images. Host side: never imports TensorFlow."""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.transforms.apply import content_width, others_of
from seqclr.transforms.views import Views

CANDIDATES = 16  # random positions, of which the one with the strongest gradients is chosen


class ExemplarPatch:
    """A patch with strong gradients, distorted: `views: uint8 [1, S, S, 3]`.

    Its position is the same every time. The patch is shifted by up to a fifth of its side, scaled by 0.7 to 1.4 and
    rotated by up to 20 degrees; its colours are scaled by 0.5 to 2 along their principal axes, and the hue is shifted
    by up to a tenth of the circle. In a line no taller than `side`, it has the full height. views: further steps.

    Dosovitskiy et al. 2014 (Exemplar-CNN), arXiv:1406.6909.
    """

    def __init__(self, views: str, side: int):
        self.views, self.side = Views(views), side

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        image = np.ascontiguousarray(record["image"][:, : content_width(record)])
        side = min(self.side, *record["image"].shape[:2])
        x, y = self._centre(image, side, int(record["index"]))
        scale, turn = rng.uniform(0.7, 1.4), rng.uniform(-20, 20)
        matrix = cv2.getRotationMatrix2D((x, y), turn, scale)
        matrix[:, 2] += side / 2 - np.array([x, y]) + rng.uniform(-0.2, 0.2, 2) * side
        patch = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return {"views": self.views(_recolour(patch, rng), rng, others_of(record))[None], "index": record["index"]}

    def _centre(self, image: np.ndarray, side: int, index: int) -> tuple[float, float]:
        """The middle of the patch."""
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        strength = cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
        room = np.maximum(0, np.array(gray.shape[::-1]) - side)
        corners = np.random.default_rng(index).integers(0, room + 1, (CANDIDATES, 2))
        x, y = max(corners, key=lambda at: strength[at[1] : at[1] + side, at[0] : at[0] + side].sum())
        return x + min(side, gray.shape[1]) / 2, y + side / 2


def _recolour(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    pixels = patch.reshape(-1, 3).astype(np.float64)
    mean = pixels.mean(0)
    _, axes = np.linalg.eigh(np.cov((pixels - mean).T))
    stretched = mean + ((pixels - mean) @ axes * 2.0 ** rng.uniform(-1, 1, 3)) @ axes.T
    hsv = cv2.cvtColor(stretched.clip(0, 255).astype(np.uint8).reshape(patch.shape), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + round(180 * rng.uniform(-0.1, 0.1))) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
