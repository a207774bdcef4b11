"""The benchmark of changed sites: its predictions, its counts and its table."""

import json
import logging
import sys

import drift as benchmark
import numpy as np
import pytest

from seqclr.data.charset import Charset
from tests.curation.test_check import make


class Stub:
    """A reader that reads all images as `ab`."""

    charset = Charset("abc")

    def predict_samples(self, samples):
        return [("ab", 0.25 * number) for number, _ in enumerate(samples)]


def test_predictions_are_compared_with_the_labels_of_a_split_and_kept(tmp_path, monkeypatch):
    rows = [
        ("a.png", "ab", "test", 1),
        ("b.png", "abc", "test", 2),
        ("c.png", "ab", "train", 3),
        ("d.png", "ab", "test", 4),
    ]
    site = make(tmp_path / "site", rows)
    monkeypatch.setattr(benchmark.Recognizer, "load", lambda run: Stub())
    found = benchmark.predictions(tmp_path / "run", site, "test", tmp_path / "kept.csv")
    assert found["confidence"].tolist() == [0, 0.25, 0.5] and found["acceptance"].tolist() == [1, 0, 1]
    monkeypatch.undo()
    again = benchmark.predictions(tmp_path / "run", site, "test", tmp_path / "kept.csv")
    assert again["confidence"].tolist() == found["confidence"].tolist()


def test_changes_and_steady_sites_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(logging.getLogger("seqclr"), "setLevel", lambda level: None)
    rng, folder = np.random.default_rng(0), tmp_path / "output" / "predictions" / "test" / "before"
    folder.mkdir(parents=True)
    for site, confidences, right in (("before", rng.random(300), 0.9), ("after", rng.random(300) - 2, 0.9)):
        make(tmp_path / "data" / site, [("a.png", "ab", "test", 1)])
        np.savetxt(folder / f"{site}.csv", np.stack([confidences, rng.random(300) < right], 1), delimiter=",")
    words = f"--data {tmp_path}/data --readers none --output {tmp_path}/output --pairs before:after --seeds 3"
    monkeypatch.setattr(sys, "argv", ["drift.py", *words.split(), "--requests", "500", "--simulated", "4"])
    benchmark.main()
    found = json.loads((tmp_path / "output" / "results.json").read_text())
    change = found["changes"]["before:after"]
    # each adds 12 ** 0.5 / 2 - SLACK to the sum, which may not have been 0, and fewer as the new values are added
    assert all(8 <= each <= 13 for each in change["confidence"]) and change["acceptance"] == [None] * 3
    assert found["steady"]["before"] == {"seeds": 3, "requests": 500, "confidence": 0, "acceptance": 0}
    assert found["steady"]["simulated"] == {"seeds": 4, "requests": 500, "confidence": 0, "acceptance": 0}
    table = (tmp_path / "output" / "table.md").read_text()
    assert "100% | -, -, - | 0% |" in table and "| before | 500 | 0 of 3 | 0 of 3 |" in table


@pytest.mark.parametrize(("found", "text", "share"), [([60, 9, 12], "9, 12, 60", 2 / 3), ([7, None], "7, -, -", 1 / 2)])
def test_the_span_of_requests(found, text, share):
    assert benchmark.span(found) == text and benchmark.share_soon(found) == share
