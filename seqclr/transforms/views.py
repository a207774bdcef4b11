"""Augmented views of an image, declared in YAML. Host side: never imports TensorFlow.

A preset is a list of steps, each with the name of an Albumentations transform or of one in transforms/augmentations.py,
and its arguments:

    - {name: GaussianBlur, blur_limit: [3, 5], p: 0.5}

`{preset: roaming}` stands for the steps of another preset. Or it is a list of groups of views. A group with a `size`
(factors of the image's height and width, or one factor for both) gives small views, which one of its steps crops
(Strip, ResizedCrop):

    groups:
      - {count: 2, steps: [{name: GaussianBlur}]}
      - {count: 4, size: [1.0, 0.5], steps: [{name: Strip}]}

transforms/readable.py refuses views that mirror, rotate or cut off text.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqclr.config import read_yaml
from seqclr.data.dataset import Others
from seqclr.errors import UserError

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or it asks the network for its newest version
sys.modules.setdefault("albumentations.pytorch", None)  # or it imports PyTorch, where installed, in every worker
import albumentations as A  # noqa: E402
import cv2  # noqa: E402

from seqclr.transforms.augmentations import OWN, Part  # noqa: E402

if sys.modules["albumentations.pytorch"] is None:  # for others to import
    del sys.modules["albumentations.pytorch"]
cv2.setNumThreads(0)  # the workers are the parallelism
PRESETS = Path(__file__).parent / "presets"
KEYPOINTS = np.array([[0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75]])  # x and y in the image, to measure geometry
MOST = 64  # views of a group


def presets() -> list[str]:
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


class Views:
    """An augmentation of `uint8 [H, W, 3]`, deterministic given the state of the random generator.

    preset: a name from `presets()`, a YAML file, or `none`. group: the index of the group. `cuts`: whether a part of
    the image may be cut off.
    """

    def __init__(self, preset: str, group: int = 0):
        self.preset, self.group = preset, group
        self._steps = groups(preset)[group].steps
        self.cuts = any(getattr(step, "cuts", False) for step in self._steps)

    def __call__(self, image: np.ndarray, rng: np.random.Generator, others: Others | None = None) -> np.ndarray:
        """others: the images that a step may mix in."""
        data = {"image": image} if image.shape[2] == 3 else {"image": _colours(image), "mask": image}
        return _joined(self._apply({**data, "others": others}, rng))

    def follow(
        self, image: np.ndarray, rng: np.random.Generator, others: Others | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same view; the original image with the view's geometric changes only; and the geometry, `float32 [4]`.

        The geometry is factor and offset of x, then of y, in widths and heights of the image. It is exact for scaling
        and shifts, and for other changes a linear fit through two points on the middle axis.
        """
        size = image.shape[1::-1]
        points = np.zeros((4, 5), np.float32)  # x, y, and three further values of keypoints in Albumentations
        points[:, :2] = KEYPOINTS * size
        seen = self._apply({"image": _colours(image), "mask": image, "keypoints": points, "others": others}, rng)
        after = seen["keypoints"][:, :2] / seen["image"].shape[1::-1]
        low, high = np.diag(after[::2]), np.diag(after[1::2])
        factor = (high - low) / 0.5
        return _joined(seen), seen["mask"], np.stack([factor, low - factor * 0.25], 1).ravel().astype(np.float32)

    def _apply(self, data: dict, rng: np.random.Generator) -> dict:
        # A.Compose would give all steps the same seed, so that they would all be applied or all be skipped;
        # the probability is evaluated here, as setting a seed costs more than most steps
        count = len(self._steps)
        for step, chance, seed in zip(self._steps, rng.random(count), rng.integers(2**31, size=count)):
            if chance < step.p:
                step.set_random_seed(int(seed))
                data = step(force_apply=True, **data)
        return data

    def __reduce__(self):  # a worker builds its own
        return Views, (self.preset, self.group)


def _colours(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[..., :3])


def _joined(seen: dict) -> np.ndarray:
    """The view, and the depth of an image that has one, which follows the geometric changes only."""
    depth = seen["mask"][..., 3:] if "mask" in seen else seen["image"][..., 3:]
    return np.dstack([seen["image"], depth]) if depth.shape[2] else seen["image"]


def drawn(preset: str, copies: int) -> list[tuple[Views, tuple[float, float] | None]]:
    """The views of a contact sheet, with the sizes of small ones: `copies` of a plain list, or the counts of groups."""
    return [
        (Views(preset, i), group.size) for i, group in enumerate(groups(preset)) for _ in range(group.count or copies)
    ]


class Group(NamedTuple):
    """Views with the same steps. count: None where the transform decides. size: of small views, None for full ones."""

    steps: list
    count: int | None = None
    size: tuple[float, float] | None = None


def single(preset: str) -> Views:
    """The views of a preset that is a plain list. Raises UserError for one with several groups."""
    if len(groups(preset)) > 1:
        raise UserError(f"views '{preset}' come in groups, which are not for single views: take another preset")
    return Views(preset)


def split(preset: str) -> tuple[list[Views], list[tuple[Views, tuple[float, float]]]]:
    """The two full views of a preset, and its small ones with their sizes. Raises UserError for other numbers."""
    made = [(Views(preset, i), group) for i, group in enumerate(groups(preset))]
    full = [views for views, group in made if group.size is None for _ in range(group.count or 2)]
    if len(full) != 2:
        raise UserError(f"views '{preset}' gives {len(full)} full view(s): groups without a size must make 2")
    return full, [(views, group.size) for views, group in made if group.size for _ in range(group.count)]


@functools.cache
def groups(preset: str) -> list[Group]:
    """The groups of a preset; a plain list is one group. Raises UserError for a wrong file."""
    if preset == "none":
        return [Group([])]
    path = PRESETS / f"{preset}.yaml"
    if not os.path.isfile(path):
        path = Path(preset)
    if path.suffix != ".yaml" or not os.path.isfile(path):
        raise UserError(f"views '{preset}' is neither a preset ({', '.join(presets())}, none) nor a YAML file")
    read = read_yaml(path)
    if isinstance(read, dict) and list(read) == ["groups"] and isinstance(read["groups"], list) and read["groups"]:
        return [_group(path, group) for group in read["groups"]]
    return [Group(_steps(path, read))]


def _group(path: Path, group) -> Group:
    if not isinstance(group, dict) or not {"count", "steps"} <= set(group) <= {"count", "steps", "size"}:
        raise UserError(f"{path}: a group has count and steps, and a size where its views are small; this is '{group}'")
    count, steps, size = group["count"], _steps(path, group["steps"]), group.get("size")
    if type(count) is not int or not 1 <= count <= MOST:
        raise UserError(f"{path}: count {count} of a group: at least 1, at most {MOST}")
    if size is None:
        return Group(steps, count)
    size = tuple(size) if isinstance(size, list) else (size, size)
    if len(size) != 2 or not all(isinstance(factor, int | float) and 0 < factor <= 1 for factor in size):
        raise UserError(f"{path}: size {group['size']} of a group is not a factor within 0 and 1, or a pair of them")
    parts = [step for step in steps if isinstance(step, Part)]
    if len(parts) != 1 or parts[0].p < 1:
        raise UserError(f"{path}: a group of small views takes one Strip or ResizedCrop, of p 1")
    parts[0].size = size
    return Group(steps, count, size)


def _steps(path: Path, steps) -> list:
    if not isinstance(steps, list) or not all(
        isinstance(s, dict) and isinstance(s.get("name", s.get("preset")), str) for s in steps
    ):
        raise UserError(f"{path} is not a list of augmentation steps, such as '- {{name: GaussianBlur, p: 0.5}}'")
    return [made for step in steps for made in _made(path, step)]


def _made(path: Path, step: dict) -> list:
    """The transform of a step, or those of the preset that it names."""
    if "preset" not in step:
        return [_transform(path, dict(step))]
    if len(step) > 1:
        raise UserError(f"{path}: a step that is a preset has no other keys: this is '{step}'")
    if step["preset"] not in presets():
        raise UserError(f"{path}: '{step['preset']}' is no preset: {', '.join(presets())}")
    return single(step["preset"])._steps


def _transform(path: Path, step: dict):
    name = step.pop("name")
    transform = OWN.get(name) or getattr(A, name, None)
    if not (isinstance(transform, type) and issubclass(transform, A.BasicTransform)):
        raise UserError(f"{path}: there is no augmentation '{name}': take one of Albumentations or {', '.join(OWN)}")
    step = {key: tuple(value) if isinstance(value, list) else value for key, value in step.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # advice
            warnings.filterwarnings("error", ".*not valid for transform")  # its only sign of an unknown argument
            made = transform(**step)
    except Exception as error:  # whatever a constructor raises
        why = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: {name} does not take these arguments ({why})") from None
    if "image" not in made.targets:
        raise UserError(f"{path}: {name} is no transform of an image: leave it out")
    if not 0 <= made.p <= 1:
        raise UserError(f"{path}: {name} has p {made.p}, a probability: 0 to 1")
    if hasattr(made, "mask_interpolation"):
        made.mask_interpolation = cv2.INTER_LINEAR  # the mask is an image here, not classes
    return made
