"""Images and what is left of them to draw them from. Host side: never imports TensorFlow.

Examples hold the image, augmented, as `image: uint8 [H, W, 3]`, what the encoder is shown as `shown`, alike, the
record's `index` and, where lines are padded, its `width`: what is done is done to the columns that are image.
"""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.transforms.apply import augment, filled
from seqclr.transforms.tiles import is_line
from seqclr.transforms.views import single


class WholeImage:
    """The image as it is, which needs no `shown`."""

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        return {**record, "image": augment(self.views, record, rng)}


class NoisyImage(WholeImage):
    """With noise. masking: a part `amount` of the pixels is black. gaussian: of a standard deviation of 255 `amount`.

    Vincent et al. 2008.
    """

    def __init__(self, views: str, corruption: str, amount: float):
        super().__init__(views)
        self.corruption, self.amount = corruption, amount

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        shown = example["image"].copy()
        inside = shown[:, : filled(record)]
        if self.corruption == "masking":
            inside[rng.random(inside.shape[:2]) < self.amount] = 0
        else:
            inside[:] = (inside + rng.normal(0, 255 * self.amount, inside.shape)).round().clip(0, 255)
        return {**example, "shown": shown}


class ImageWithHole(WholeImage):
    """With a hole, which shows the mean of what is left: `hidden: bool [H, W]`; `block`, alike, has its rim too.

    The block has half of the sides of a picture; of a line, which is more than twice as wide as high, it has the full
    height, and as many columns, but no more than half of them. position: `centre` or `random`. rim: pixels between hole
    and block. Pathak et al. 2016, arXiv:1604.07379.
    """

    def __init__(self, views: str, position: str, rim: int):
        super().__init__(views)
        self.position, self.rim = position, rim

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        shown, columns = example["image"].copy(), filled(record)
        height, width = shown.shape[:2]
        line = is_line(height, width)
        across, inner_across = self._along(columns, min(height, columns // 2) if line else columns // 2, rng)
        down, inner_down = (slice(None),) * 2 if line else self._along(height, height // 2, rng)
        block, hidden = np.zeros((2, height, width), bool)
        block[down, across] = hidden[inner_down, inner_across] = True
        left = shown[:, :columns][~hidden[:, :columns]]
        shown[hidden] = left.mean(0).round()
        return {**example, "shown": shown, "hidden": hidden, "block": block}

    def _along(self, length: int, size: int, rng: np.random.Generator) -> tuple[slice, slice]:
        """Block and hole along a side."""
        start = (length - size) // 2 if self.position == "centre" else int(rng.integers(length - size + 1))
        rim = min(self.rim, max(0, size - 1) // 2)
        return slice(start, start + size), slice(start + rim, start + size - rim)


class CoarseImage(WholeImage):
    """Without detail: reduced to a `factor`th of its sides and enlarged again by bicubic interpolation.

    Ledig et al. 2017 (SRGAN), arXiv:1609.04802.
    """

    def __init__(self, views: str, factor: int):
        super().__init__(views)
        self.factor = factor

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        shown = example["image"].copy()
        inside = shown[:, : filled(record)]
        size = inside.shape[1::-1]
        reduced = cv2.resize(inside, [-(-length // self.factor) for length in size], interpolation=cv2.INTER_AREA)
        inside[:] = cv2.resize(reduced, size, interpolation=cv2.INTER_CUBIC)
        return {**example, "shown": shown}


class MaskedPatches(WholeImage):
    """With patches taken out, a part `masked` of them: `hidden: bool [L]`, row by row, always as many.

    He et al. 2022 (MAE), arXiv:2111.06377.
    """

    def __init__(self, views: str, masked: float):
        super().__init__(views)
        self.masked = masked

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        height, width = example["image"].shape[:2]
        side = patch_side(height, width)
        count = -(-height // side) * -(-width // side)
        hidden = rng.permutation(count) < hidden_count(count, self.masked)
        return {**example, "hidden": hidden}


def patch_side(height: int, width: int) -> int:
    """Pixels of a patch of vit_tiny."""
    return 4 if max(height, width) <= 64 else 16


def hidden_count(count: int, masked: float) -> int:
    """How many of so many patches are taken out: some, but not all."""
    return min(count - 1, max(1, round(masked * count)))
