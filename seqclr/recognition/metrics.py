"""Metrics of predicted texts."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

try:
    from editdistance import eval as edit_distance
except ImportError:  # it has no wheel for Python 3.13
    edit_distance = Levenshtein.distance

BINS = 15  # of the calibration error
COVERAGES = (90, 80, 70)  # percent


def edit_distance_accuracy(text: str, prediction: str) -> float:
    """`max(0, 1 - distance / len(text))`; for an empty text, 1 where the prediction is empty, else 0."""
    return max(0.0, 1 - edit_distance(text, prediction) / len(text)) if text else float(not prediction)


def scores(texts: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """All metrics over pairs of a true text and its prediction.

    `edit_distance_accuracy` (as in the article, mean over samples), `exact_match`, `exact_match_caseless`, `cer` (edits
    of all samples / characters of all samples), `one_minus_ned` (1 - edits / length of the longer text, mean over
    samples).
    """
    count = len(texts)
    pairs = list(zip(texts, predictions))
    edits = [edit_distance(text, prediction) for text, prediction in pairs]
    return {
        "samples": count,
        "edit_distance_accuracy": sum(map(edit_distance_accuracy, texts, predictions)) / count,
        "exact_match": sum(text == prediction for text, prediction in pairs) / count,
        "exact_match_caseless": sum(text.lower() == prediction.lower() for text, prediction in pairs) / count,
        "cer": sum(edits) / max(1, sum(map(len, texts))),
        "one_minus_ned": sum(1 - e / max(1, len(t), len(p)) for e, (t, p) in zip(edits, pairs)) / count,
    }


def calibration(correct: Sequence[bool], confidences: Sequence[float]) -> dict[str, float]:
    """Calibration of the confidences of N predictions. correct: whether each prediction is correct.

    `calibration_error`: the expected calibration error of Guo et al. 2017 (arXiv:1706.04599), over `BINS` bins of equal
    width. `exact_match_at_90` (80, 70): exact match of the predictions whose confidence is at least `confidence_at_90`,
    the highest threshold that accepts at least 90 % of the predictions.
    """
    count = len(correct)
    error = sum(n * abs(hits - mean) for n, mean, hits in bins(correct, confidences) if n) / count
    order = sorted(zip(confidences, correct), reverse=True)
    figures = {"calibration_error": float(error)}
    for percent in COVERAGES:
        least, _ = order[math.ceil(count * percent / 100) - 1]
        accepted = [hit for confidence, hit in order if confidence >= least]
        figures[f"exact_match_at_{percent}"] = sum(accepted) / len(accepted)
        figures[f"confidence_at_{percent}"] = float(least)
    return figures


def bins(correct: Sequence[bool], confidences: Sequence[float]) -> list[tuple[int, float, float]]:
    """For each of `BINS` bins of confidence: number of predictions, their mean confidence, their accuracy."""
    index = np.minimum((np.asarray(confidences) * BINS).astype(int), BINS - 1)
    counts = np.bincount(index, minlength=BINS)
    means, hits = (
        np.bincount(index, np.asarray(values, float), BINS) / np.maximum(counts, 1) for values in (confidences, correct)
    )
    return list(zip(counts.tolist(), means.tolist(), hits.tolist()))


def confusions(texts: Sequence[str], predictions: Sequence[str]) -> Counter:
    """Counts of `(true, predicted)` characters along a shortest alignment; "" marks a deletion or an insertion."""
    counts: Counter = Counter()
    for text, prediction in zip(texts, predictions):
        counts.update(align(text, prediction))
    return counts


def align(text: str, prediction: str) -> list[tuple[str, str]]:
    """A shortest edit script as pairs of characters; "" on one side is a deletion or an insertion."""
    edits = [
        (text[edit.src_start : edit.src_end], prediction[edit.dest_start : edit.dest_end])
        for edit in Levenshtein.opcodes(text, prediction)
    ]
    return [pair for parts in edits for pair in itertools.zip_longest(*parts, fillvalue="")]
