"""Accuracy with one retry, on a table of predictions worked out by hand."""

import pytest

from seqclr.data.samples import Sample
from seqclr.recognition.evaluate import Retries

ROWS = [  # source, label, prediction, confidence
    ("a", "1234", "1234", 0.9),
    ("a", "1234", "1235", 0.8),
    ("a", "4321", "4321", 0.4),
    ("a", "4321", "432", 0.95),
    ("b", "12", "12", 0.7),
    ("b", "34", "", 0.0),
]
SOURCES, TEXTS, PREDICTIONS, CONFIDENCES = zip(*ROWS)
SAMPLES = [Sample(source, f"{i}.png") for i, source in enumerate(SOURCES)]


@pytest.mark.parametrize(
    ("threshold", "lengths", "a", "b"),
    [
        (0.0, None, [1, 0, 1, 0], [1, 1]),  # the empty text is refused, and the other is right
        (0.5, None, [1, 0, 1 / 3, 0], [1, 1]),  # the third of a is refused: one of the three others is right
        (0.5, (4,), [1, 0, 1 / 3, 2 / 3], [0, 1]),  # texts of other lengths are refused
        (1.0, None, [1 / 3, 2 / 3, 1 / 3, 2 / 3], [0, 1]),
    ],
)
def test_a_refused_image_is_replaced_by_another_of_its_source(threshold, lengths, a, b):
    retries = Retries(SAMPLES, TEXTS, PREDICTIONS, CONFIDENCES, lengths)
    means = {"a": sum(a) / 4, "b": sum(b) / 2, None: sum([*a, *b]) / 6}
    refused = [not accepted for accepted in retries.accepted(threshold)]
    shares = {"a": sum(refused[:4]) / 4, "b": sum(refused[4:]) / 2, None: sum(refused) / 6}
    for source in ("a", "b", None):
        figures = retries.at(threshold, source)
        assert figures == pytest.approx({"exact_match_one_retry": means[source], "refused": shares[source]})


def test_what_is_refused():
    accepted = Retries(SAMPLES, TEXTS, PREDICTIONS, CONFIDENCES, (4, 2)).accepted(0.7)
    assert accepted.tolist() == [True, True, False, False, True, False]
