"""Applies views to the image of a record, but not to its padding. Host side: never imports TensorFlow."""

from __future__ import annotations

import numpy as np

from seqclr.data.dataset import Others
from seqclr.transforms.views import Views


def augment(views: Views, record: dict, rng: np.random.Generator) -> np.ndarray:
    """A view of the image in a record, `uint8 [H, W, 3]`; the padding is unchanged."""
    image, width = record["image"], content_width(record)
    return _padded(image, views(np.ascontiguousarray(image[:, :width]), rng, others_of(record)))


def augment_with_geometry(
    views: Views, record: dict, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `augment`, with the aligned original and the geometry of `Views.follow`, in widths of the padded image."""
    image, width = record["image"], content_width(record)
    view, original, geometry = views.follow(np.ascontiguousarray(image[:, :width]), rng, others_of(record))
    geometry[1] *= width / image.shape[1]
    return _padded(image, view), _padded(image, original), geometry


def small_view(views: Views, size: tuple[float, float], record: dict, rng: np.random.Generator):
    """A small view `uint8 [h, w, 3]`, its geometry and its columns before the padding.

    size: factors of the height and width of the record's image.
    """
    image, width = record["image"], content_width(record)
    view, _, geometry = views.follow(np.ascontiguousarray(image[:, :width]), rng, others_of(record))
    shown, padded = view.shape[1], max(1, round(image.shape[1] * size[1]))
    geometry[:2] *= shown / padded
    geometry[0] *= image.shape[1] / width
    padding = np.repeat(image[: len(view), -1:], padded - shown, axis=1)
    return np.concatenate([view, padding], axis=1), geometry, np.int32(shown)


def others_of(record: dict) -> Others | None:
    """The other images of the record's data set, for steps that mix images; None for a record of no data set."""
    return getattr(record, "others", None)


def content_width(record: dict) -> int:
    """The number of columns of a record's image before the padding."""
    return int(record.get("width", record["image"].shape[1]))


def _padded(image: np.ndarray, view: np.ndarray) -> np.ndarray:
    if view.shape == image.shape:
        return view
    result = image.copy()
    result[:, : view.shape[1]] = view
    return result
