"""Augmentations that Albumentations does not have, as Albumentations transforms. They keep text readable."""

from __future__ import annotations

import albumentations as A
import cv2
import numpy as np

from seqclr.transforms.background import Background

FOLLOWING = (A.core.type_definitions.Targets.IMAGE, A.core.type_definitions.Targets.MASK,
             A.core.type_definitions.Targets.KEYPOINTS)  # fmt: skip


class Recolour(A.ImageOnlyTransform):
    """Mixes the three colour channels at random and inverts some images: in text, shape matters and colour does not.

    invert: probability of inversion.
    """

    def __init__(self, invert: float = 0.3, p: float = 0.5):
        super().__init__(p=p)
        if not 0 <= invert <= 1:
            raise ValueError(f"invert {invert} is not within 0 and 1")
        self.invert = invert

    def apply(self, img: np.ndarray, **_) -> np.ndarray:
        mixing = self.random_generator.dirichlet(np.ones(3), size=3)
        if self.py_random.random() < self.invert:
            img = 255 - img
        return cv2.transform(img, mixing)


class Clutter(A.ImageOnlyTransform):
    """Draws random thin lines and dots, so that those in the image no longer identify it.

    lines, dots: the largest number of each.
    """

    MOST = 1000

    def __init__(self, lines: int = 3, dots: int = 20, p: float = 0.5):
        super().__init__(p=p)
        if not (0 <= lines <= self.MOST and 0 <= dots <= self.MOST):
            raise ValueError(f"lines {lines} and dots {dots} are not within 0 and {self.MOST}")
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


class Window(A.DualTransform):
    """Crops a window and resizes it to the size of the image. `_draw` returns it: left, top, right, bottom."""

    _targets = FOLLOWING

    def get_params_dependent_on_data(self, params: dict, data: dict) -> dict:
        height, width = params["shape"][:2]
        return {"window": self._draw(height, width)}

    def apply(self, img: np.ndarray, window: tuple[int, int, int, int], **_) -> np.ndarray:
        left, top, right, bottom = window
        return cv2.resize(img[top:bottom, left:right], self._size(*img.shape[:2])[::-1], interpolation=cv2.INTER_LINEAR)

    def apply_to_mask(self, mask: np.ndarray, window: tuple[int, int, int, int], **_) -> np.ndarray:
        return self.apply(mask, window)

    def apply_to_keypoints(self, keypoints: np.ndarray, window: tuple[int, int, int, int], shape, **_) -> np.ndarray:
        left, top, right, bottom = window
        height, width = self._size(*shape[:2])
        keypoints = keypoints.copy()
        keypoints[:, :2] = (keypoints[:, :2] - (left, top)) * (width / (right - left), height / (bottom - top))
        return keypoints

    def _size(self, height: int, width: int) -> tuple[int, int]:
        return height, width


class VerticalCrop(Window):
    """Crops at the top and the bottom and resizes the rest: SeqCLR's vertical crop.

    limit: the largest fraction of the height that is cut off.
    """

    def __init__(self, limit: float = 0.08, p: float = 0.5):
        super().__init__(p=p)
        if not 0 <= limit < 1:
            raise ValueError(f"limit {limit} is not within 0 and 1")
        self.limit = limit

    def _draw(self, height, width):
        cut = int(height * self.py_random.uniform(0, self.limit))
        top = self.py_random.randint(0, cut)
        return 0, top, width, height - (cut - top)


class Part(Window):
    """A crop for small views. size: factors of the image's height and width, set by the group of views."""

    cuts, size = True, (1.0, 1.0)

    def _size(self, height, width):
        return tuple(max(1, round(length * factor)) for length, factor in zip((height, width), self.size))


class Strip(Part):
    """A crop of the size of the small view, unscaled, at a random position along the line of text."""

    def __init__(self, p: float = 1.0):
        super().__init__(p=p)

    def _draw(self, height, width):
        rows, columns = self._size(height, width)
        left, top = (self.py_random.randint(0, room) for room in (width - columns, height - rows))
        return left, top, left + columns, top + rows


class ResizedCrop(Part):
    """A crop of random area and aspect ratio, resized to the size of the view: Inception's random resized crop.

    scale: range of the fraction of the area. ratio: range of the aspect ratio, relative to that of the image. For
    natural images only.
    """

    def __init__(self, scale: tuple[float, float] = (0.08, 1.0), ratio: tuple[float, float] = (3 / 4, 4 / 3),
                 p: float = 1.0):  # fmt: skip
        super().__init__(p=p)
        if not 0 < scale[0] <= scale[1] <= 1:
            raise ValueError(f"scale {scale} is not within 0 and 1")
        if not 0 < ratio[0] <= ratio[1]:
            raise ValueError(f"ratio {ratio} is not a range above 0")
        self.scale, self.ratio = scale, ratio

    def _draw(self, height, width):
        area, ratio = self.py_random.uniform(*self.scale), np.exp(self.py_random.uniform(*np.log(self.ratio)))
        columns, rows = (
            int(min(length, max(1, round(length * part))))
            for length, part in ((width, np.sqrt(area * ratio)), (height, np.sqrt(area / ratio)))
        )
        left, top = (self.py_random.randint(0, room) for room in (width - columns, height - rows))
        return left, top, left + columns, top + rows


class ScaleAndShift(A.DualTransform):
    """Scales and shifts the image and replicates its border. `_draw` returns both factors and both offsets."""

    _targets = FOLLOWING

    def get_params_dependent_on_data(self, params: dict, data: dict) -> dict:
        height, width = params["shape"][:2]
        across, down, x, y = self._draw()
        return {"matrix": np.array([[across, 0, x * width], [0, down, y * height]], np.float32)}

    def apply(self, img: np.ndarray, matrix: np.ndarray, **_) -> np.ndarray:
        size = img.shape[1::-1]
        return cv2.warpAffine(img, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def apply_to_mask(self, mask: np.ndarray, matrix: np.ndarray, **_) -> np.ndarray:
        return self.apply(mask, matrix)

    def apply_to_keypoints(self, keypoints: np.ndarray, matrix: np.ndarray, **_) -> np.ndarray:
        keypoints = keypoints.copy()
        keypoints[:, :2] = keypoints[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        return keypoints


class Slant(A.Affine):
    """Shears the image horizontally and rotates it, by up to so many degrees, and replicates its border.

    The longer a line, the less it is rotated: its ends move by at most a tenth of its height, and stay in the image.
    """

    ENDS = 0.1

    def __init__(self, shear: float = 10, rotate: float = 2, p: float = 0.5):
        sideways = {"x": (-shear, shear), "y": (0, 0)}  # without a y, Albumentations takes 1 degree
        super().__init__(shear=sideways, rotate=(-rotate, rotate), border_mode=cv2.BORDER_REPLICATE, p=p)
        self.most = rotate

    def get_params_dependent_on_data(self, params: dict, data: dict) -> dict:
        height, width = params["shape"][:2]
        most = min(self.most, float(np.degrees(np.arcsin(min(1, 2 * self.ENDS * height / width)))))
        self.rotate = -most, most
        return super().get_params_dependent_on_data(params, data)


class Squeeze(ScaleAndShift):
    """Scales the image down, keeping its aspect ratio, and shifts it within its former area, so nothing is cut off.

    scale: range of the factor, at most 1.
    """

    def __init__(self, scale: tuple[float, float] = (0.85, 1.0), p: float = 0.5):
        super().__init__(p=p)
        if not 0 < scale[0] <= scale[1] <= 1:
            raise ValueError(f"scale {scale} is not within 0 and 1")
        self.scale = scale

    def _draw(self):
        scale = self.py_random.uniform(*self.scale)
        x, y = ((1 - scale) * self.py_random.random() for _ in range(2))
        return scale, scale, x, y


class Roam(ScaleAndShift):
    """Scales width and height independently and shifts the image horizontally; its ends may be cut off.

    For pretraining only, with correspondence by geometry. scale: range of both factors; the height is not enlarged, as
    its ends would be cut off. shift: the largest horizontal offset of the centre, as a fraction of the width.
    """

    cuts = True

    def __init__(self, scale: tuple[float, float] = (0.8, 1.25), shift: float = 0.125, p: float = 0.5):
        super().__init__(p=p)
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(f"scale {scale} is not a range above 0")
        if not 0 <= shift < 0.5:
            raise ValueError(f"shift {shift} is not within 0 and 0.5")
        self.scale, self.shift = scale, shift

    def _draw(self):
        across, down = self.py_random.uniform(*self.scale), min(1.0, self.py_random.uniform(*self.scale))
        x = (1 - across) / 2 + self.py_random.uniform(-self.shift, self.shift)
        return across, down, x, (1 - down) * self.py_random.random()


OWN = {
    transform.__name__: transform
    for transform in (Background, Recolour, Clutter, VerticalCrop, Strip, ResizedCrop, Slant, Squeeze, Roam)
}
