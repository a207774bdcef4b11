"""Images and what is left of them to draw them from. Host wing: never imports TensorFlow.

Examples hold the image, augmented, as `image: uint8 [H, W, 3]`, what the encoder is shown as `shown`, alike, the
record's `index` and, where lines are padded, its `width`: what is done is done to the columns that are image.
"""

from __future__ import annotations

import numpy as np

from seqclr.recipes.text import augment, filled
from seqclr.recipes.views import single


class Whole:
    """The image as it is, which needs no `shown`."""

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        return {**record, "image": augment(self.views, record, rng)}


class Noisy(Whole):
    """With noise. masking: a part `amount` of the pixels is black. gaussian: of a standard deviation of 255 `amount`.

    Vincent et al. 2008.
    """

    def __init__(self, views: str, corruption: str, amount: float):
        super().__init__(views)
        self.corruption, self.amount = corruption, amount

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        shown = example["image"].copy()
        page = shown[:, : filled(record)]
        if self.corruption == "masking":
            page[rng.random(page.shape[:2]) < self.amount] = 0
        else:
            page[:] = (page + rng.normal(0, 255 * self.amount, page.shape)).round().clip(0, 255)
        return {**example, "shown": shown}


class Holed(Whole):
    """With a hole, which shows the mean of what is left: `hidden: bool [H, W]`; `block`, alike, has its rim too.

    The block has half of the sides of a picture; of a line, which is more than twice as wide as high, it has the full
    height, and as many columns, but no more than half of them. place: `centre` or `random`. rim: pixels between hole
    and block. Pathak et al. 2016, arXiv:1604.07379.
    """

    def __init__(self, views: str, place: str, rim: int):
        super().__init__(views)
        self.place, self.rim = place, rim

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        shown, columns = example["image"].copy(), filled(record)
        height, width = shown.shape[:2]
        line = width > 2 * height
        across, inner_across = self._along(columns, min(height, columns // 2) if line else columns // 2, rng)
        down, inner_down = (slice(None),) * 2 if line else self._along(height, height // 2, rng)
        block, hidden = np.zeros((2, height, width), bool)
        block[down, across] = hidden[inner_down, inner_across] = True
        left = shown[:, :columns][~hidden[:, :columns]]
        shown[hidden] = left.mean(0).round()
        return {**example, "shown": shown, "hidden": hidden, "block": block}

    def _along(self, length: int, size: int, rng: np.random.Generator) -> tuple[slice, slice]:
        """Block and hole along a side."""
        start = (length - size) // 2 if self.place == "centre" else int(rng.integers(length - size + 1))
        rim = min(self.rim, max(0, size - 1) // 2)
        return slice(start, start + size), slice(start + rim, start + size - rim)
