"""Accuracy with one retry, on a table of predictions worked out by hand, and samples whose labels a run has used."""

import numpy as np
import pytest

from seqclr.data.hashes import content_digest
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.recognition import evaluate
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


@pytest.fixture
def samples(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(5)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]))
    return [Sample("a", str(file), "text") for file in files]


@pytest.mark.parametrize("gone", [False, True])
def test_labels_of_the_runs_before_are_counted(samples, tmp_path, monkeypatch, gone):
    """And those of the run itself, where its data no longer exist."""

    def used_by(config):
        if gone:
            raise UserError("the data do not exist")
        return samples[:1], samples[1:2]

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("data: [gone]\nlabels: null\nvalidation: null\n")
    np.save(tmp_path / "run" / "known_labels.npy", [content_digest(sample) for sample in samples[:4]])
    monkeypatch.setattr(evaluate, "used_by", used_by)
    uses = evaluate.count_uses(tmp_path / "run", samples)
    assert uses == ({"used_before": 4} if gone else {"trained_on": 1, "validated_on": 1, "used_before": 2})
