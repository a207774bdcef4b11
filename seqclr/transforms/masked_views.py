"""Views with hidden strips. Host side: never imports TensorFlow."""

from __future__ import annotations

import numpy as np

from seqclr.transforms.apply import filled, follow
from seqclr.transforms.views import single


class MaskedViews:
    """Views with strips hidden: `views: uint8 [V, H, W, 3]`, `geometry: float32 [V, 4]` as in TwoViews, and what the
    strips show: `hidden: bool [V, W]`, the columns, `originals: uint8 [V, H, W]`, the image in gray, aligned with the
    view but without its other changes.

    spans, span: how many strips, and how many columns each; they may overlap. A hidden column shows the view's mean.
    """

    def __init__(self, views: str, copies: int, spans: int, span: int):
        self.views, self.copies, self.spans, self.span = single(views), copies, spans, span

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        views, originals, geometry = map(np.stack, zip(*(follow(self.views, record, rng) for _ in range(self.copies))))
        hidden = np.stack([self._strips(filled(record), record["image"].shape[1], rng) for _ in range(self.copies)])
        for view, columns in zip(views, hidden):
            view[:, columns] = view[:, : filled(record)].mean((0, 1))
        gray = originals.mean(-1).round().astype(np.uint8)
        rest = {key: value for key, value in record.items() if key != "image"}
        return {"views": views, "geometry": geometry, "hidden": hidden, "originals": gray, **rest}

    def _strips(self, width: int, label_preserving: int, rng: np.random.Generator) -> np.ndarray:
        columns = np.zeros(label_preserving, bool)
        for start in rng.integers(0, max(1, width - self.span + 1), self.spans):
            columns[start : start + self.span] = True
        return columns
