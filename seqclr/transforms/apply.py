"""Applies views to a record, whose padding stays as it is. Host side: never imports TensorFlow."""

from __future__ import annotations

import numpy as np

from seqclr.transforms.views import Views


def augment(views: Views, record: dict, rng: np.random.Generator) -> np.ndarray:
    """A view of what is image in a record; its padding stays as it is."""
    image, width = record["image"], filled(record)
    return _padded(image, views(np.ascontiguousarray(image[:, :width]), rng))


def follow(views: Views, record: dict, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `augment`, with what `Views.follow` tells; the geometry counts in widths of the label_preserving record."""
    image, width = record["image"], filled(record)
    view, original, geometry = views.follow(np.ascontiguousarray(image[:, :width]), rng)
    geometry[1] *= width / image.shape[1]
    return _padded(image, view), _padded(image, original), geometry


def part(views: Views, size: tuple[float, float], record: dict, rng: np.random.Generator):
    """A small view, its geometry, and its columns that are image; `size`: factors of the record's."""
    image, width = record["image"], filled(record)
    view, _, geometry = views.follow(np.ascontiguousarray(image[:, :width]), rng)
    shown, label_preserving = view.shape[1], max(1, round(image.shape[1] * size[1]))
    geometry[:2] *= shown / label_preserving
    geometry[0] *= image.shape[1] / width
    padding = np.repeat(image[: len(view), -1:], label_preserving - shown, axis=1)
    return np.concatenate([view, padding], axis=1), geometry, np.int32(shown)


def filled(record: dict) -> int:
    """The columns of a record that are image."""
    return int(record.get("width", record["image"].shape[1]))


def _padded(image: np.ndarray, view: np.ndarray) -> np.ndarray:
    if view.shape == image.shape:
        return view
    result = image.copy()
    result[:, : view.shape[1]] = view
    return result
