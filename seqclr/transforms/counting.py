"""An image and its parts, all of one size. Host side: never imports TensorFlow.

Noroozi et al. 2017 (Learning to Count), arXiv:1708.06734.
"""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.errors import UserError
from seqclr.transforms.apply import augment, content_width
from seqclr.transforms.slices import slices
from seqclr.transforms.tiles import is_line
from seqclr.transforms.views import single

FILTERS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4, cv2.INTER_AREA)
GRAY = 2 / 3  # fraction of the images that are converted to gray
LEAST = 8  # pixels: the least that encoders accept


def part_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the parts of an image of this size. Raises UserError where they are too small."""
    size = (height if is_line(height, width) else height // 2), width // 2
    if min(size) < LEAST:
        raise UserError(f"height {height} and width {width}: halves need at least {LEAST} pixels, so take {2 * LEAST}")
    return size


class WholeAndParts:
    """An image at half size, then its quarters (of a line: its halves): `tiles: uint8 [1 + N, h, w, 3]`.

    A line is reduced to half its width at full height; its halves are cut between characters. The interpolation is
    random, and most images are gray: otherwise artefacts or colour fringes would distinguish the whole from the parts.
    """

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        image = augment(self.views, record, rng)
        height, width = part_size(*image.shape[:2])
        if is_line(*image.shape[:2]):
            parts = slices({**record, "image": image}, 2, width)
            image = image[:, : content_width(record)]
        else:
            if rng.random() < GRAY:
                image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            image = image[: 2 * height, : 2 * width]
            parts = [image[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
        whole = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=int(rng.choice(FILTERS)))
        return {"tiles": np.stack([whole, *parts]), "index": record["index"]}
