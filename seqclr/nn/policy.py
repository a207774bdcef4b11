"""Keras' dtype policy is one for the whole process: what sets it puts it back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def kept_policy() -> Iterator[None]:
    """After it, the process has the dtype policy that it had before."""
    before = keras.mixed_precision.dtype_policy()
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)
