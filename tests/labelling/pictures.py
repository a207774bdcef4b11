"""Images of one colour, in PNG files that are named by their number."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw(folder: Path, count: int) -> None:
    for number in range(count):
        Image.fromarray(np.full((8, 24, 3), 10 * number, np.uint8)).save(folder / f"{number}.png")
