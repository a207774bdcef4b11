"""Checks that the views of a preset are valid inputs of the network and keep a line of text readable. Host side.

The steps are tested, not recognized by name: they are applied many times to an image whose colours are the coordinates
of its pixels, so that a view reveals which part of the image it shows, and where.
"""

from __future__ import annotations

import functools

import albumentations as A
import numpy as np

from seqclr.errors import UserError
from seqclr.transforms.views import groups

BANDS = 8  # strips of the height; strips of the width are as broad
UNSEEN = 0.25  # fraction of a strip that a view may cut off
TRIALS = 4  # of each step, for the type and shape of its result
DRAWS = 100  # trials with an image of 32x128; fewer with larger ones, which take longer
LARGEST = 2**18  # pixels of the test image
MARK, NEAR = 128, 8  # value of the third channel where a view shows the image, and its tolerance


def check_all(preset: str, height: int, width: int, resize: str, lines: bool) -> None:
    """Raises UserError for views that do not suit images of this size. lines: whether they must keep text readable."""
    shorter = {min(width, height * times) for times in (2, 8)} if resize == "pad" else set()
    for columns in sorted({width} | shorter):
        if lines:  # in float64, so a large image is reduced
            scale = min(1, (LARGEST / (height * columns)) ** 0.5)
            check_readable(preset, max(1, round(height * scale)), max(1, round(columns * scale)))
        check_views(preset, height, columns)


@functools.cache
def check_views(preset: str, height: int, width: int) -> None:
    """Raises UserError for a step that fails on such an image or does not return `uint8 [height, width, 3]`."""
    for group in groups(preset):
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        size = tuple(max(1, round(n * factor)) for n, factor in zip((height, width), group.size or (1, 1)))
        for seed in range(TRIALS):
            view, changed = image, None
            for step in group.steps:
                before, name = view.shape, type(step).__name__
                view = _step(preset, step, seed, view)
                if not isinstance(view, np.ndarray) or view.dtype != np.uint8 or view.shape[2:] != (3,):
                    what = f"{view.dtype} {list(view.shape)}" if isinstance(view, np.ndarray) else type(view).__name__
                    raise UserError(f"{preset}: {name} makes {what} of an image, uint8 {list(before)}: leave it out")
                changed = name if view.shape != before else changed
            if view.shape[:2] != size:
                raise UserError(
                    f"{preset}: {changed} changes the size of an image, {height}x{width}, to {view.shape[0]}x"
                    f"{view.shape[1]}, where {size[0]}x{size[1]} is wanted: leave it out"
                )


@functools.cache
def check_readable(preset: str, height: int = 32, width: int = 128) -> None:
    """Raises UserError for views that change the text of a line of this size.

    No view may rotate or mirror it, change the order of its parts, or cut off a strip as broad as an eighth of the
    height, horizontal or vertical. A step with `cuts`, meant for unlabelled images, may cut off vertical strips.
    """
    for group in groups(preset):
        moving = [step for step in group.steps if isinstance(step, A.DualTransform)]
        for steps in [*([step] for step in moving), *([moving] if len(moving) > 1 else [])]:
            ends = not any(getattr(step, "cuts", False) for step in steps)
            for seed in range(int(np.clip(DRAWS * 32 * 128 / (height * width), 20, DRAWS))):
                view = coordinates(height, width)
                chances = np.random.default_rng(seed).random(len(steps))
                for place, step in enumerate(steps):
                    if len(steps) == 1 or chances[place] < step.p:
                        view = _step(preset, step, seed * len(steps) + place, view)
                if wrong := fault(view, height, width, ends):
                    names = " and ".join(type(step).__name__ for step in steps)
                    raise UserError(f"{preset}: {names} would mirror, turn or cut the text ({wrong}); leave it out")
    check_views(preset, height, width)


def _step(preset: str, step: A.BasicTransform, seed: int, image: np.ndarray) -> np.ndarray:
    step.set_random_seed(seed)
    try:
        return step(force_apply=True, image=image)["image"]
    except Exception as error:  # such as of a transform that needs metadata or another image
        why = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{preset}: {type(step).__name__} does not work on an image alone ({why}): leave it out"
        ) from None


def coordinates(height: int, width: int) -> np.ndarray:
    """An image `uint8 [H, W, 3]` of the x and y of each pixel, scaled to 256, and MARK."""
    coordinates = np.full((height, width, 3), MARK, np.uint8)
    coordinates[..., 0] = (np.arange(width) + 0.5) * (256 / width)
    coordinates[..., 1] = ((np.arange(height) + 0.5) * (256 / height))[:, None]
    return coordinates


def fault(view: np.ndarray, height: int, width: int, ends: bool = True) -> str | None:
    """What a view of `coordinates` does to a text, in words, or None. ends: whether it must show the whole width."""
    shown = np.abs(view[..., 2].astype(np.int16) - MARK) <= NEAR
    if shown.mean() < 0.1:
        return "almost nothing of it is visible"
    x, y = ((view[..., i] + 0.5) * (length / 256) for i, length in enumerate((width, height)))
    rows, columns = np.nonzero(shown)
    points = np.stack([columns, rows, np.ones(len(rows))], 1)[:: 1 + len(rows) // 1000]
    (right, sinks), (_, below), _ = np.linalg.lstsq(
        points, np.stack([x[shown], y[shown]], 1)[:: 1 + len(rows) // 1000], rcond=None
    )[0]
    if right <= abs(sinks) or below <= 0:
        return "it no longer runs from left to right"
    for place, axis, length in ((x, 1, width), (y, 0, height)):
        furthest = np.maximum.accumulate(np.where(shown, place, -np.inf), axis)
        if (furthest - place)[shown].max() > height / 4 + length / 128:  # a quarter of the height, plus rounding
            return "its parts change places"
    bands = max(1, min(BANDS, height // 4))
    seen = np.zeros((bands, min(128, max(1, bands * width // height))), bool)
    seen[(y[shown] * (seen.shape[0] / height)).astype(int), (x[shown] * (seen.shape[1] / width)).astype(int)] = True
    if ends and (seen.mean(0) < 1 - UNSEEN).any():
        return "a strip of its width is lost"
    if (seen[:, seen.any(0)].mean(1) < 1 - UNSEEN).any():
        return "a strip of its height is lost"
    return None
