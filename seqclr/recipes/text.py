"""The recipes of text lines: one fitted record (data/loader.py) to one example. Host wing: never imports
TensorFlow.

An example keeps the record's `index` and, where lines are padded, its `width`, the columns that are image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqclr.recipes.views import Views


class TwoViews:
    """Two independent views, `views: uint8 [2, H, W, 3]`."""

    def __init__(self, views: str):
        self.views = Views(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        pair = np.stack([augment(self.views, record, rng) for _ in range(2)])
        return {"views": pair, **{key: value for key, value in record.items() if key != "image"}}


class Labelled:
    """One view with its text: `image: uint8 [H, W, 3]`, `label: int32 [L]` filled with -1."""

    def __init__(self, views: str, labels: Sequence[Sequence[int]]):
        self.views = Views(views)
        self.labels = np.full((len(labels), max(1, max(map(len, labels)))), -1, np.int32)
        for row, label in zip(self.labels, labels):
            row[: len(label)] = label

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        return {**record, "image": augment(self.views, record, rng), "label": self.labels[record["index"]]}


def augment(views: Views, record: dict, rng: np.random.Generator) -> np.ndarray:
    """A view of what is image in a record; its padding stays as it is."""
    image = record["image"]
    width = int(record.get("width", image.shape[1]))
    if width == image.shape[1]:
        return views(image, rng)
    result = image.copy()
    result[:, :width] = views(np.ascontiguousarray(image[:, :width]), rng)
    return result
