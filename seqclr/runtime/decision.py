"""When to accept a prediction, and when to ask for another image."""

from __future__ import annotations

from collections.abc import Collection

THRESHOLD = 0.5  # of a reader that has none of its own


def accepts(text: str, confidence: float, threshold: float | None, lengths: Collection[int] | None) -> bool:
    """Whether to accept a prediction. threshold, lengths: of the reader, None where they are not known."""
    sure = confidence >= (THRESHOLD if threshold is None else threshold)
    return bool(text) and sure and (lengths is None or len(text) in lengths)
