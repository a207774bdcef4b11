"""Background patterns of generated images: the weight of the second colour, `float [H, W]` from 0 to 1. Host side."""

from __future__ import annotations

import numpy as np
from PIL import Image


def _plain(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return np.zeros((height, width))


def _gradient(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    ramp = x * np.cos(angle) + y * np.sin(angle)
    return (ramp - ramp.min()) / np.ptp(ramp)


def _clouds(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    puffs = rng.integers(0, 256, (max(2, height // 8), max(2, width // 8)), dtype=np.uint8)
    return np.asarray(Image.fromarray(puffs).resize((width, height), Image.Resampling.BICUBIC)) / 255


def _grid(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    step, slant = rng.integers(6, 11), rng.uniform(-0.6, 0.6)
    y, x = np.mgrid[:height, :width]
    return ((x + slant * y) % step < 1) | ((y - slant * x) % step < 1)


BACKGROUNDS = {"plain": _plain, "gradient": _gradient, "clouds": _clouds, "grid": _grid}
