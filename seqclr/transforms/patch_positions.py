"""Images with positions that are compared across images. Host side: never imports TensorFlow."""

from __future__ import annotations

import numpy as np

from seqclr.transforms.corrupted import WholeImage


class ImageWithPositions(WholeImage):
    """The augmented image, `image: uint8 [H, W, 3]`, and `positions: float32 [count, 2]`, random rows and columns of
    an image without its padding, from 0 to below 1."""

    def __init__(self, views: str, count: int):
        super().__init__(views)
        self.count = count

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        return {**super().__call__(record, rng), "positions": rng.random((self.count, 2), np.float32)}
