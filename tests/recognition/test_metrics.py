"""The measures against values worked out by hand."""

import numpy as np
import pytest

from seqclr.recognition import metrics


@pytest.mark.parametrize(
    "text, read, accuracy",
    [
        ("abcd", "abcd", 1.0),
        ("abcd", "abxd", 0.75),
        ("abcd", "abd", 0.75),
        ("abcd", "", 0.0),
        ("ab", "xyzuv", 0.0),  # 1 - 5/2 is below zero
        ("ab", "abcdefgh", 0.0),
        ("aB", "ab", 0.5),
        ("", "", 1.0),
        ("", "a", 0.0),
    ],
)
def test_edit_distance_accuracy(text, read, accuracy):
    assert metrics.edit_distance_accuracy(text, read) == accuracy


def test_scores():
    scores = metrics.scores(["abcd", "Ab", "x", ""], ["abd", "ab", "yyy", ""])
    assert scores == {
        "samples": 4,
        "edit_distance_accuracy": pytest.approx((0.75 + 0.5 + 0 + 1) / 4),
        "exact_match": 1 / 4,
        "exact_match_caseless": 2 / 4,
        "cer": pytest.approx((1 + 1 + 3) / 7),
        "one_minus_ned": pytest.approx((1 - 1 / 4 + 1 - 1 / 2 + 0 + 1) / 4),
    }


def test_scores_of_nothing_but_empty_texts():
    scores = metrics.scores(["", ""], ["", "ab"])
    assert scores["cer"] == 2 and scores["edit_distance_accuracy"] == scores["one_minus_ned"] == 0.5


def test_calibration_error_and_accuracy_by_coverage():
    confidences = [0.99, 0.98, 0.97, 0.5, 0.5, 0.5, 0.5, 0.1, 0.05, 0.0]
    right = [True, True, True, True, False, True, False, False, True, False]
    figures = metrics.calibration(right, confidences)
    # bins of 1/15: 0.97 to 0.99 are one, the four of 0.5 are one, 0.1 another, 0.05 and 0 the last
    assert figures["calibration_error"] == pytest.approx((3 * 0.02 + 4 * 0.0 + 0.1 + 2 * (0.5 - 0.025)) / 10)
    assert figures["exact_match_at_90"] == pytest.approx(6 / 9) and figures["confidence_at_90"] == 0.05
    assert figures["exact_match_at_80"] == pytest.approx(5 / 8) and figures["confidence_at_80"] == 0.1
    assert figures["exact_match_at_70"] == pytest.approx(5 / 7) and figures["confidence_at_70"] == 0.5


def test_what_is_as_sure_as_the_last_is_covered_whatever_the_order():
    right, confidences = [True, False, False, False], [0.5] * 4
    for rows in (right, right[::-1]):
        assert metrics.calibration(rows, confidences)["exact_match_at_70"] == 0.25


@pytest.mark.parametrize(
    "confidence, hit, error", [(1.0, True, 0.0), (1.0, False, 1.0), (0.0, False, 0.0), (0.7, True, 0.3)]
)
def test_calibration_of_one(confidence, hit, error):
    figures = metrics.calibration([hit], [confidence])
    assert figures["calibration_error"] == pytest.approx(error)
    assert figures["exact_match_at_90"] == float(hit) and figures["confidence_at_70"] == confidence


def test_bins_hold_all_and_their_means():
    rng = np.random.default_rng(0)
    confidences, right = rng.random(500).astype(np.float32), rng.random(500) < 0.5
    bins = metrics.bins(right, confidences)
    assert len(bins) == metrics.BINS and sum(count for count, *_ in bins) == 500
    assert sum(count * hits for count, _, hits in bins) == pytest.approx(right.sum())
    assert all(i <= mean * metrics.BINS <= i + 1 for i, (_, mean, _) in enumerate(bins))


@pytest.mark.parametrize(
    "text, read, pairs",
    [
        ("abc", "abc", [("a", "a"), ("b", "b"), ("c", "c")]),
        ("abc", "axc", [("a", "a"), ("b", "x"), ("c", "c")]),
        ("abc", "ac", [("a", "a"), ("b", ""), ("c", "c")]),
        ("ac", "abc", [("a", "a"), ("", "b"), ("c", "c")]),
        ("", "ab", [("", "a"), ("", "b")]),
        ("ab", "", [("a", ""), ("b", "")]),
        ("", "", []),
    ],
)
def test_align(text, read, pairs):
    assert metrics.align(text, read) == pairs


def test_confusions_count_over_all_pairs():
    counts = metrics.confusions(["10", "1", "0"], ["1o", "l", "0"])
    assert counts == {("1", "1"): 1, ("0", "o"): 1, ("1", "l"): 1, ("0", "0"): 1}
