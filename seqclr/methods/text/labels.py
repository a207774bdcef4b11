"""The labels of methods that learn from them."""

from __future__ import annotations

from collections.abc import Sequence

from seqclr.data.samples import Sample
from seqclr.errors import UserError


def texts_of(samples: Sequence[Sample], method: str) -> list[str]:
    """The texts of the samples. Raises UserError where one has none, or all are equal. method: its name."""
    missing = next((sample.name for sample in samples if not sample.text), None)
    if missing:
        raise UserError(
            f"{missing} has no label, which method={method} needs: give it in labels.csv, or name a split of labelled "
            "images, such as split=train"
        )
    texts = [sample.text or "" for sample in samples]
    if len(set(texts)) < 2:
        raise UserError(f"all labels are '{texts[0]}': at least two classes are needed")
    return texts
