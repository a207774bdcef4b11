"""Measures of predicted texts."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import editdistance
import numpy as np
from rapidfuzz.distance import Levenshtein

BINS = 15  # of the calibration error
COVERAGES = (90, 80, 70)  # percent


def edit_distance_accuracy(text: str, read: str) -> float:
    """`max(0, 1 - distance / len(text))`; for an empty text, 1 where the prediction is empty, else 0."""
    return max(0.0, 1 - editdistance.eval(text, read) / len(text)) if text else float(not read)


def scores(texts: Sequence[str], reads: Sequence[str]) -> dict[str, float]:
    """All measures over pairs of a true text and its prediction.

    `edit_distance_accuracy` (the article's, mean over samples), `exact_match`, `exact_match_caseless`, `cer` (all edits
    over all characters), `one_minus_ned` (1 - edits over the longer of both, mean over samples).
    """
    count = len(texts)
    edits = [editdistance.eval(text, read) for text, read in zip(texts, reads)]
    return {
        "samples": count,
        "edit_distance_accuracy": sum(map(edit_distance_accuracy, texts, reads)) / count,
        "exact_match": sum(text == read for text, read in zip(texts, reads)) / count,
        "exact_match_caseless": sum(text.lower() == read.lower() for text, read in zip(texts, reads)) / count,
        "cer": sum(edits) / max(1, sum(map(len, texts))),
        "one_minus_ned": sum(1 - e / max(1, len(t), len(r)) for e, t, r in zip(edits, texts, reads)) / count,
    }


def calibration(right: Sequence[bool], confidences: Sequence[float]) -> dict[str, float]:
    """Calibration of the confidences of N predictions; right: which of them are correct.

    `calibration_error`: the expected one of Guo et al. 2017 (arXiv:1706.04599), over `BINS` bins of equal width.
    `exact_match_at_90` (80, 70): the part that is right of the surest 90 % and of those that are as sure as their last,
    whose confidence is `confidence_at_90`: the threshold that accepts so many.
    """
    count = len(right)
    error = sum(n * abs(hits - mean) for n, mean, hits in bins(right, confidences) if n) / count
    order = sorted(zip(confidences, right), reverse=True)
    figures = {"calibration_error": float(error)}
    for percent in COVERAGES:
        least, _ = order[math.ceil(count * percent / 100) - 1]
        accepted = [hit for confidence, hit in order if confidence >= least]
        figures[f"exact_match_at_{percent}"] = sum(accepted) / len(accepted)
        figures[f"confidence_at_{percent}"] = float(least)
    return figures


def bins(right: Sequence[bool], confidences: Sequence[float]) -> list[tuple[int, float, float]]:
    """Of each of `BINS` bins of confidence: how many predictions, their mean confidence, the part that is right."""
    index = np.minimum((np.asarray(confidences) * BINS).astype(int), BINS - 1)
    counts = np.bincount(index, minlength=BINS)
    means, hits = (
        np.bincount(index, np.asarray(values, float), BINS) / np.maximum(counts, 1) for values in (confidences, right)
    )
    return list(zip(counts.tolist(), means.tolist(), hits.tolist()))


def confusions(texts: Sequence[str], reads: Sequence[str]) -> Counter:
    """Counts of `(true, predicted)` characters along a shortest alignment; "" marks a deletion or an insertion."""
    counts: Counter = Counter()
    for text, read in zip(texts, reads):
        counts.update(align(text, read))
    return counts


def align(text: str, prediction: str) -> list[tuple[str, str]]:
    """A shortest edit script as pairs of characters; "" on one side is a deletion or an insertion."""
    edits = [
        (text[edit.src_start : edit.src_end], prediction[edit.dest_start : edit.dest_end])
        for edit in Levenshtein.opcodes(text, prediction)
    ]
    return [pair for parts in edits for pair in itertools.zip_longest(*parts, fillvalue="")]
