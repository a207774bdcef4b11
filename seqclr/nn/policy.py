"""Keras' dtype policy, which is global to the process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def kept_policy() -> Iterator[None]:
    """A context, or decorator, after which the process has its former dtype policy."""
    before = keras.mixed_precision.dtype_policy()
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)
