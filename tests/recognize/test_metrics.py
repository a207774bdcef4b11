"""The measures against values worked out by hand."""

import pytest

from seqclr.recognize import metrics


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
