"""Views of labelled images, and weak and strong views of unlabelled ones. Host side: never imports TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqclr.errors import UserError
from seqclr.transforms.apply import augment, augment_with_geometry
from seqclr.transforms.readable import check_readable
from seqclr.transforms.views import Views, single


class Labelled:
    """One view and its text: `image: uint8 [H, W, 3]`, `label: int32 [L]`, padded with -1.

    Raises UserError for views that may cut off a part of the text.
    """

    def __init__(self, views: str, labels: Sequence[Sequence[int]]):
        self.views = label_preserving(views)
        self.labels = filled(labels)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        return {**record, "image": augment(self.views, record, rng), "label": self.labels[record["index"]]}


def filled(labels: Sequence[Sequence[int]], length: int = 1) -> np.ndarray:
    """Ids as `int32 [N, L]`, filled with -1; L is at least `length`."""
    rows = np.full((len(labels), max(length, max(map(len, labels)))), -1, np.int32)
    for row, label in zip(rows, labels):
        row[: len(label)] = label
    return rows


class Unlabelled:
    """A weak view, if one is given, and a strong one, `weak` and `strong: uint8 [H, W, 3]`.

    labels: of each record, empty where there is none; with them, the example has its `text: int32 [L]`, filled with -1,
    and the `index` of the record.
    refused: of each record, a text that it does not have; with them, the example has `refused`, of the same form.

    geometry: adds that of the two views, `geometry: float32 [2, 4]`, as of `TwoViews`.

    The `width` of padded lines is called `unlabelled_width`, as the batch has labelled lines too.
    Raises UserError for views that may cut off a part of the text.
    """

    def __init__(
        self,
        weak: str | None,
        strong: str,
        labels: Sequence[Sequence[int]] | None = None,
        geometry: bool = False,
        refused: Sequence[Sequence[int]] | None = None,
    ):
        self.geometry = geometry
        self.views = {name: label_preserving(views) for name, views in (("weak", weak), ("strong", strong)) if views}
        columns = {"text": labels, "refused": refused}
        self.columns = {name: filled(rows) for name, rows in columns.items() if rows is not None}

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        if self.geometry:
            images, _, geometry = zip(*(augment_with_geometry(views, record, rng) for views in self.views.values()))
            seen = {**dict(zip(self.views, images)), "geometry": np.stack(geometry)}
        else:
            seen = {name: augment(views, record, rng) for name, views in self.views.items()}
        seen |= {name: rows[record["index"]] for name, rows in self.columns.items()}
        if "text" in seen:
            seen["index"] = record["index"]
        return {**seen, "unlabelled_width": record["width"]} if "width" in record else seen


def label_preserving(views: str) -> Views:
    """The views of a preset. Raises UserError where they may cut off or change a part of the text."""
    made = single(views)
    if made.cuts:
        raise UserError(f"views '{views}' cut off parts of the image, so labels would be wrong: take another preset")
    check_readable(views)
    return made
