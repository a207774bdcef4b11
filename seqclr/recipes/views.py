"""Augmented views of one image, declared in YAML. Host wing: never imports TensorFlow.

A preset is a list of steps in order, each with the name of an Albumentations transform or of one of ours
(recipes/transforms.py) and its arguments:

    - {name: GaussianBlur, blur_limit: [3, 5], p: 0.5}

What flips, mirrors, transposes or crops in the direction of reading is refused: it would change the text.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seqclr.errors import UserError

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
sys.modules.setdefault("albumentations.pytorch", None)  # it would bring PyTorch, where there is one, to every worker
import albumentations as A  # noqa: E402
import cv2  # noqa: E402

from seqclr.recipes.transforms import OWN  # noqa: E402

if sys.modules["albumentations.pytorch"] is None:  # for others to import
    del sys.modules["albumentations.pytorch"]
cv2.setNumThreads(0)  # the workers are the parallelism
PRESETS = Path(__file__).parent / "presets"
FOLLOWED = np.array([[0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75]])  # points of the page, x and y
UNREADABLE = ("Flip", "Transpose", "Rotate90", "D4", "SquareSymmetry", "Crop", "GridShuffle", "Jigsaw")


def presets() -> list[str]:
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


class Views:
    """An augmentation of `uint8 [H, W, 3]`, the same for the same generator state.

    preset: a name from `presets()`, a YAML file, or `none`. `cuts` tells whether a part of the page may leave it.
    """

    def __init__(self, preset: str):
        self.preset = preset
        self._steps = [] if preset == "none" else _steps(preset)
        self.cuts = any(getattr(step, "cuts", False) for step in self._steps)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self._apply({"image": image}, rng)["image"]

    def follow(self, image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same view; the page at the view's place but otherwise as it was; and the way the page went.

        That way is `float32 [4]`, factor and offset of x, then of y, in widths and heights of the page: exact for what
        scales and shifts, for the rest the line through two points that lie at the middle of the other direction.
        """
        size = image.shape[1::-1]
        points = np.zeros((4, 5), np.float32)  # x, y, and what Albumentations knows of a keypoint beside
        points[:, :2] = FOLLOWED * size
        seen = self._apply({"image": image, "mask": image, "keypoints": points}, rng)
        after = seen["keypoints"][:, :2] / size
        low, high = np.diag(after[::2]), np.diag(after[1::2])
        factor = (high - low) / 0.5
        return seen["image"], seen["mask"], np.stack([factor, low - factor * 0.25], 1).ravel().astype(np.float32)

    def _apply(self, data: dict, rng: np.random.Generator) -> dict:
        # not A.Compose: it would give all steps the same seed, so that they would be taken together or not at all
        # and not the step's own chance: a seed costs more than most of what is skipped
        count = len(self._steps)
        for step, chance, seed in zip(self._steps, rng.random(count), rng.integers(2**31, size=count)):
            if chance < step.p:
                step.set_random_seed(int(seed))
                data = step(force_apply=True, **data)
        return data

    def __reduce__(self):  # a worker builds its own
        return Views, (self.preset,)


@functools.cache
def _steps(preset: str) -> list:
    path = PRESETS / f"{preset}.yaml"
    if not path.is_file():
        path = Path(preset)
    if path.suffix != ".yaml" or not path.is_file():
        raise UserError(f"views '{preset}' is neither a preset ({', '.join(presets())}, none) nor a YAML file")
    try:
        steps = OmegaConf.to_container(OmegaConf.load(path))
    except OmegaConfBaseException as error:
        raise UserError(f"{path} is not a list of augmentation steps ({error})") from None
    if not isinstance(steps, list) or not all(isinstance(step, dict) and "name" in step for step in steps):
        raise UserError(f"{path} is not a list of augmentation steps, such as '- {{name: GaussianBlur, p: 0.5}}'")
    return [_transform(path, dict(step)) for step in steps]


def _transform(path: Path, step: dict):
    name = step.pop("name")
    if name not in OWN and any(word in name for word in UNREADABLE):
        raise UserError(f"{path}: {name} would mirror, turn or cut the text; leave it out")
    transform = OWN.get(name) or getattr(A, name, None)
    if not (isinstance(transform, type) and issubclass(transform, A.BasicTransform)):
        raise UserError(f"{path}: there is no augmentation '{name}': take one of Albumentations or {', '.join(OWN)}")
    step = {key: tuple(value) if isinstance(value, list) else value for key, value in step.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # all that Albumentations has for an unknown argument
            made = transform(**step)
    except (TypeError, ValueError, UserWarning) as error:
        raise UserError(f"{path}: {name} does not take these arguments ({error})") from None
    if hasattr(made, "mask_interpolation"):
        made.mask_interpolation = cv2.INTER_LINEAR  # what follows the image is a page, not classes
    return made
