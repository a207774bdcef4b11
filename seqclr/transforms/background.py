"""Background augmentation: the background of an image is replaced, its foreground stays. Host side.

Ryali et al. 2021 (Characterizing and improving the robustness of self-supervised learning through background
augmentations), arXiv:2103.12719. Never imports TensorFlow.
"""

from __future__ import annotations

import albumentations as A
import cv2
import numpy as np

from seqclr.synthesis.backgrounds import BACKGROUNDS
from seqclr.transforms.saliency import find_ink, find_salient

MODES = ("remove", "random", "swap")
SALIENCY = {"ink": find_ink, "residual": find_salient}
LEAST, MOST = 0.01, 0.6  # fraction of the image that is foreground; with another one the image stays as it is
TEXTURE = 40  # largest difference of the two colours of a random background, in each channel
EDGE = 5  # pixels of the window in which the foreground of another image is dilated, to leave no outline
AROUND = 0.5  # standard deviation of the blur that fills the foreground of another image, in heights


class Background(A.ImageOnlyTransform):
    """Replaces the background of an image; the foreground differs from it by at least half as much as before.

    mode: `remove` fills it with one gray, `random` with a random texture of two colours, `swap` takes the background
    of another image of the data. saliency: what the foreground is, `ink` in lines and `residual` in natural images.
    same_source: whether the other image is of the same source. An image without others keeps its background.
    """

    def __init__(self, mode: str = "swap", saliency: str = "ink", same_source: bool = False, p: float = 0.5):
        super().__init__(p=p)
        for name, value, known in (("mode", mode, MODES), ("saliency", saliency, SALIENCY)):
            if value not in known:
                raise ValueError(f"{name} {value} is not known: {', '.join(known)}")
        self.mode, self.saliency, self.same_source = mode, saliency, same_source

    def get_params_dependent_on_data(self, params: dict, data: dict) -> dict:
        if self.mode != "swap":
            return {"other": None}
        others = data.get("others")
        return {"other": others.draw(self.random_generator, self.same_source) if others else data["image"]}

    def apply(self, img: np.ndarray, other: np.ndarray | None, **_) -> np.ndarray:
        foreground = SALIENCY[self.saliency](img)
        if not LEAST <= foreground.mean() <= MOST:
            return img
        opacity = cv2.GaussianBlur(foreground.astype(np.float32), (3, 3), 0)[..., None]
        ink, paper = (img[foreground == value].mean(0) for value in (1, 0))
        new = self._new(*img.shape[:2]) if other is None else self._of(cv2.resize(other[..., :3], img.shape[1::-1]))
        if np.abs(new.mean((0, 1)) - ink).max() < np.abs(paper - ink).max() / 2:
            new = new + (paper - new.mean((0, 1)))
        return np.rint(opacity * img + (1 - opacity) * new).clip(0, 255).astype(np.uint8)

    def _new(self, height: int, width: int) -> np.ndarray:
        """A gray or a texture, `float [H, W, 3]`."""
        rng = self.random_generator
        if self.mode == "remove":
            return np.full((height, width, 3), float(rng.integers(256)))
        share = BACKGROUNDS[str(rng.choice(list(BACKGROUNDS)))](height, width, rng)[..., None]
        colour = rng.integers(256, size=3)
        return colour + share * rng.integers(-TEXTURE, TEXTURE, 3, endpoint=True)

    def _of(self, image: np.ndarray) -> np.ndarray:
        """The background of an image, `float [H, W, 3]`: its foreground is filled with what is around it."""
        foreground = cv2.dilate(SALIENCY[self.saliency](image), np.ones((EDGE, EDGE), np.uint8))
        seen = 1 - foreground.astype(np.float32)[..., None]
        weights = seen + 1e-6
        fill = _blurred(weights * image, len(image)) / _blurred(weights, len(image)).reshape(weights.shape)
        return seen * image + (1 - seen) * fill


def _blurred(values: np.ndarray, height: int) -> np.ndarray:
    return cv2.GaussianBlur(values, (0, 0), AROUND * height)
