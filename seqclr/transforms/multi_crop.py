"""Two full views of an image and several small crops. Host side: never imports TensorFlow."""

from __future__ import annotations

import numpy as np

from seqclr.errors import UserError
from seqclr.transforms.apply import small_view
from seqclr.transforms.two_views import TwoViews
from seqclr.transforms.views import split


class MultiCrop(TwoViews):
    """Two full views as in TwoViews, and the small views of the preset, if any, `small: uint8 [S, h, w, 3]`.

    `small_geometry: float32 [S, 4]` is their geometry, in widths and heights of the small view; for padded lines,
    `small_width` is the number of columns before the padding. Caron et al. 2020 (SwAV), arXiv:2006.09882.
    Raises UserError for small views of several sizes.
    """

    def __init__(self, views: str):
        self.views, self.small = split(views)
        if len({size for _, size in self.small}) > 1:
            raise UserError(f"views '{views}' gives small views of several sizes: take one size")

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        if self.small:
            images, geometry, widths = map(np.stack, zip(*(small_view(*small, record, rng) for small in self.small)))
            example |= {"small": images, "small_geometry": geometry}
            if "width" in record:
                example["small_width"] = widths[0]
        return example
