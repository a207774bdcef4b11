"""Full views of an image and their geometry. Host side: never imports TensorFlow.

An example keeps the record's `index` and, for padded lines, its `width`, the number of columns before the padding.
"""

from __future__ import annotations

import numpy as np

from seqclr.errors import UserError
from seqclr.transforms.apply import augment_with_geometry
from seqclr.transforms.views import split


class TwoViews:
    """Two independent views, `views: uint8 [2, H, W, 3]`, and their geometry, `geometry: float32 [2, 4]`.

    geometry: fx, ox, fy, oy of the map from the image to the view, `x_view = fx * x_image + ox` in widths of the image,
    and likewise y in heights. A mirrored view has a negative factor. Raises UserError for views with small ones.
    """

    copies = 2

    def __init__(self, views: str):
        self.views, small = split(views)
        if small:
            raise UserError(f"views '{views}' gives small views, which this method does not take: choose other views")

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        images, _, geometry = zip(*(augment_with_geometry(views, record, rng) for views in self.views[: self.copies]))
        rest = {key: value for key, value in record.items() if key != "image"}
        return {"views": np.stack(images), "geometry": np.stack(geometry), **rest}


class OneView(TwoViews):
    """As TwoViews, with the first view only: `views: uint8 [1, H, W, 3]`."""

    copies = 1
