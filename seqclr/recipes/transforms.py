"""Changes of an image that Albumentations does not have, as Albumentations transforms. They keep text readable."""

from __future__ import annotations

import albumentations as A
import cv2
import numpy as np


class Recolour(A.ImageOnlyTransform):
    """A random mixing of the three channels, inverted in some: colour means nothing in a captcha, its shape does.

    invert: probability that light and dark change places.
    """

    def __init__(self, invert: float = 0.3, p: float = 0.5):
        super().__init__(p=p)
        self.invert = invert

    def apply(self, img: np.ndarray, **_) -> np.ndarray:
        mixing = self.random_generator.dirichlet(np.ones(3), size=3)
        if self.py_random.random() < self.invert:
            img = 255 - img
        return cv2.transform(img, mixing)


class Clutter(A.ImageOnlyTransform):
    """Fresh thin lines and dots, so that those of the page no longer tell which page it is.

    lines, dots: the largest number of each.
    """

    def __init__(self, lines: int = 3, dots: int = 20, p: float = 0.5):
        super().__init__(p=p)
        self.lines, self.dots = lines, dots

    def apply(self, img: np.ndarray, **_) -> np.ndarray:
        rng = self.random_generator
        img = img.copy()
        height, width = img.shape[:2]
        for _ in range(rng.integers(0, self.lines + 1)):
            points = rng.integers(0, (width, height), size=(3, 2)).astype(np.int32)
            points = points[np.argsort(points[:, 0])]
            cv2.polylines(img, [points], False, rng.integers(0, 256, 3).tolist(), 1, cv2.LINE_AA)
        for x, y in rng.integers(0, (width, height), size=(rng.integers(0, self.dots + 1), 2)):
            cv2.circle(img, (int(x), int(y)), int(rng.integers(0, 2)), rng.integers(0, 256, 3).tolist(), -1)
        return img


class VerticalCrop(A.ImageOnlyTransform):
    """Cuts a strip off the top or the bottom and stretches the rest: SeqCLR's vertical crop.

    limit: the largest part of the height that goes.
    """

    def __init__(self, limit: float = 0.15, p: float = 0.5):
        super().__init__(p=p)
        self.limit = limit

    def apply(self, img: np.ndarray, **_) -> np.ndarray:
        height, width = img.shape[:2]
        cut = int(height * self.py_random.uniform(0, self.limit))
        top = self.py_random.randint(0, cut)
        return cv2.resize(img[top : height - (cut - top)], (width, height), interpolation=cv2.INTER_LINEAR)


class Squeeze(A.ImageOnlyTransform):
    """Scales the page down, keeping its proportions, and shifts it to anywhere within its old place.

    Nothing leaves the page: the room that the scaling makes is all the room to shift. It is filled with what the border
    shows. scale: range of the factor, at most 1.
    """

    def __init__(self, scale: tuple[float, float] = (0.85, 1.0), p: float = 0.5):
        super().__init__(p=p)
        if not 0 < scale[0] <= scale[1] <= 1:
            raise ValueError(f"scale {scale} is not within 0 and 1")
        self.scale = scale

    def apply(self, img: np.ndarray, **_) -> np.ndarray:
        height, width = img.shape[:2]
        scale = self.py_random.uniform(*self.scale)
        shift = [side * (1 - scale) * self.py_random.random() for side in (width, height)]
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
        return cv2.warpAffine(img, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


OWN = {transform.__name__: transform for transform in (Recolour, Clutter, VerticalCrop, Squeeze)}
