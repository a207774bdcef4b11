"""Images and their corrupted versions, for reconstruction. Host side: never imports TensorFlow.

An example has the augmented image, `image: uint8 [H, W, 3]` (the target), the encoder's `input`, of the same
shape, the record's `index` and, for padded lines, its `width`. The padding is not corrupted.
"""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.transforms.apply import augment, content_width
from seqclr.transforms.tiles import is_line
from seqclr.transforms.views import single


class WholeImage:
    """The augmented image without corruption, so without `input`."""

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        return {**record, "image": augment(self.views, record, rng)}


class NoisyImage(WholeImage):
    """An image with noise. Vincent et al. 2008 (denoising autoencoder).

    corruption: `masking` sets a fraction `amount` of the pixels to black; `gaussian` adds noise with the standard
    deviation 255 * `amount`.
    """

    def __init__(self, views: str, corruption: str, amount: float):
        super().__init__(views)
        self.corruption, self.amount = corruption, amount

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        corrupted = example["image"].copy()
        inside = corrupted[:, : content_width(record)]
        if self.corruption == "masking":
            inside[rng.random(inside.shape[:2]) < self.amount] = 0
        else:
            inside[:] = (inside + rng.normal(0, 255 * self.amount, inside.shape)).round().clip(0, 255)
        return {**example, "input": corrupted}


class ImageWithHole(WholeImage):
    """An image with a hole of the mean colour. Pathak et al. 2016 (context encoders), arXiv:1604.07379.

    `hidden: bool [H, W]` marks the hole, `block: bool [H, W]` the hole and its rim. The block has half the height and
    width of an image; in a line, more than twice as wide as high, it has the full height and as many columns, but at
    most half of them. position: `centre` or `random`. rim: pixels between the edges of hole and block.
    """

    def __init__(self, views: str, position: str, rim: int):
        super().__init__(views)
        self.position, self.rim = position, rim

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        corrupted, columns = example["image"].copy(), content_width(record)
        height, width = corrupted.shape[:2]
        line = is_line(height, width)
        across, inner_across = self._along(columns, min(height, columns // 2) if line else columns // 2, rng)
        down, inner_down = (slice(None),) * 2 if line else self._along(height, height // 2, rng)
        block, hidden = np.zeros((2, height, width), bool)
        block[down, across] = hidden[inner_down, inner_across] = True
        left = corrupted[:, :columns][~hidden[:, :columns]]
        corrupted[hidden] = left.mean(0).round()
        return {**example, "input": corrupted, "hidden": hidden, "block": block}

    def _along(self, length: int, size: int, rng: np.random.Generator) -> tuple[slice, slice]:
        """The block and the hole along one side."""
        start = (length - size) // 2 if self.position == "centre" else int(rng.integers(length - size + 1))
        rim = min(self.rim, max(0, size - 1) // 2)
        return slice(start, start + size), slice(start + rim, start + size - rim)


class CoarseImage(WholeImage):
    """An image of lower resolution: reduced by `factor` and enlarged again by bicubic interpolation.

    Ledig et al. 2017 (SRGAN), arXiv:1609.04802.
    """

    def __init__(self, views: str, factor: int):
        super().__init__(views)
        self.factor = factor

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        corrupted = example["image"].copy()
        inside = corrupted[:, : content_width(record)]
        size = inside.shape[1::-1]
        reduced = cv2.resize(inside, [-(-length // self.factor) for length in size], interpolation=cv2.INTER_AREA)
        inside[:] = cv2.resize(reduced, size, interpolation=cv2.INTER_CUBIC)
        return {**example, "input": corrupted}


class MaskedPatches(WholeImage):
    """An image with a fraction `masked` of its patches masked: `hidden: bool [L]`, row by row, of constant count.

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
    """The side of a patch of vit_tiny, in pixels."""
    return 4 if max(height, width) <= 64 else 16


def hidden_count(count: int, masked: float) -> int:
    """The number of masked patches among `count`: at least 1, and not all."""
    return min(count - 1, max(1, round(masked * count)))
