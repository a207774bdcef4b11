"""Views with masked strips of columns. Host side: never imports TensorFlow."""

from __future__ import annotations

import numpy as np

from seqclr.transforms.apply import augment_with_geometry, content_width
from seqclr.transforms.views import single


class MaskedViews:
    """Views with masked strips: `views: uint8 [V, H, W, 3]` and `geometry: float32 [V, 4]` as in TwoViews.

    `hidden: bool [V, W]` marks the masked columns, which have the mean colour of the view. `originals: uint8 [V, H, W]`
    is the gray image, aligned with the view but not otherwise augmented.

    copies: number of views (V). spans: number of strips, which may overlap. span: columns of each.
    """

    def __init__(self, views: str, copies: int, spans: int, span: int):
        self.views, self.copies, self.spans, self.span = single(views), copies, spans, span

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        views, originals, geometry = map(
            np.stack, zip(*(augment_with_geometry(self.views, record, rng) for _ in range(self.copies)))
        )
        hidden = np.stack(
            [self._strips(content_width(record), record["image"].shape[1], rng) for _ in range(self.copies)]
        )
        for view, columns in zip(views, hidden):
            view[:, columns] = view[:, : content_width(record)].mean((0, 1))
        gray = originals.mean(-1).round().astype(np.uint8)
        rest = {key: value for key, value in record.items() if key != "image"}
        return {"views": views, "geometry": geometry, "hidden": hidden, "originals": gray, **rest}

    def _strips(self, width: int, padded: int, rng: np.random.Generator) -> np.ndarray:
        columns = np.zeros(padded, bool)
        for start in rng.integers(0, max(1, width - self.span + 1), self.spans):
            columns[start : start + self.span] = True
        return columns
