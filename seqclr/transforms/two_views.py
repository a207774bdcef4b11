"""Full views of an image, with their geometry. Host side: never imports TensorFlow.

An example keeps the record's `index` and, where lines are padded, its `width`, the columns that are image.
"""

from __future__ import annotations

import numpy as np

from seqclr.errors import UserError
from seqclr.transforms.apply import follow
from seqclr.transforms.views import split


class TwoViews:
    """Two independent views, `views: uint8 [2, H, W, 3]`, and where each shows the image, `geometry: float32 [2, 4]`.

    geometry: factor and offset of the way the image went, `x_view = fx * x_page + ox` in its widths, then fy and oy in
    its heights. A mirrored view has a factor below 0.
    """

    copies = 2

    def __init__(self, views: str):
        self.views, small = split(views)
        if small:
            raise UserError(f"views '{views}' gives small views, which this method does not take: choose other views")

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        images, _, geometry = zip(*(follow(views, record, rng) for views in self.views[: self.copies]))
        rest = {key: value for key, value in record.items() if key != "image"}
        return {"views": np.stack(images), "geometry": np.stack(geometry), **rest}


class OneView(TwoViews):
    """The same with the first view alone."""

    copies = 1
