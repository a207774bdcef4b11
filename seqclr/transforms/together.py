"""The examples of several transforms as one. Host side: never imports TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Together:
    """The columns of each transform, whose name is before theirs, as `simclr.views`."""

    def __init__(self, transforms: dict[str, Callable]):
        self.transforms = transforms

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        return {
            f"{name}.{column}": value
            for name, transform in self.transforms.items()
            for column, value in transform(record, rng).items()
        }

    def close(self) -> None:
        for transform in self.transforms.values():
            if hasattr(transform, "close"):
                transform.close()


def columns_of(name: str, batch: dict[str, Any]) -> dict[str, Any]:
    """The columns of one transform in a batch of `Together`."""
    return {column.removeprefix(f"{name}."): rows for column, rows in batch.items() if column.startswith(f"{name}.")}
