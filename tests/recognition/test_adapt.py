"""`seqclr adapt`: what is known, found or refused before a step is taken, and the run that it leaves."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import seqclr
from seqclr import cli
from seqclr.config import load_yaml
from seqclr.data.charset import Charset
from seqclr.data.samples import Sample
from seqclr.recognition import estimates
from seqclr.recognition.adapt import balanced
from seqclr.recognition.recognizer import Recognizer
from tests.small_runs import SMALL, run

FEW = ["--steps", 2, "--batch-size", 4, "--processes", 0, "--precision", "float32", "views=none", "distinct_images=4"]


@pytest.fixture(scope="module")
def start(tmp_path_factory, pages, least_networks):
    """A reader of digits and two letters that has seen two steps of generated images."""
    folder = tmp_path_factory.mktemp("start") / "run"
    run("pretrain", "--method", "generated", "--data", pages, "--output", folder, "--steps", 2, "encoder=tiny",
        "characters=0123456789ab", "length=2:4", *SMALL)  # fmt: skip
    return folder


def test_a_reader_is_adapted_and_keeps_what_is_known(start, pages, tmp_path, eagerly, capsys):
    folder, figures = tmp_path / "run", tmp_path / "figures.json"
    run("adapt", "--model", start, "--data", pages, "--output", folder, "--charset", "0123456789", "--length", "4:6",
        "--labels", 3, "--json", figures, *FEW)  # fmt: skip
    told = capsys.readouterr().err
    assert "20 images, 3 of them labelled" in told  # the four of split test are left out
    reader = Recognizer.load(folder)
    assert reader.charset.characters == "0123456789" and reader.possible.lengths == (4, 5, 6)
    assert all(len(text) in (4, 5, 6) for text, _ in reader.predict_images(np.zeros((3, 20, 50, 3), np.uint8)))
    estimated = json.loads(figures.read_text())["estimated_exact_match"]
    assert 0 <= estimated <= 1 and f"{estimated:.2f} of the texts are right" in told
    assert all(len(text) == 4 for text, _ in seqclr.load(folder).predict([np.zeros((20, 50, 3), np.uint8)], length=4))
    run("adapt", "--resume", "--output", folder, "--steps", 3)  # with its data, model, charset and length
    assert load_yaml(folder / "config.yaml")["length"] == "4,5,6"


def test_what_is_not_known_is_estimated(start, pages, tmp_path, eagerly, monkeypatch, capsys):
    texts = [("12", 0.9), ("21", 0.8), ("1234", 0.7)] + [("99999999", 0.1)] * 7
    monkeypatch.setattr(estimates, "predict_dataset", lambda reader, dataset: texts)
    run("adapt", "--model", start, "--data", pages, "--output", tmp_path / "run", "--labels", 0, *FEW)
    config = load_yaml(tmp_path / "run" / "config.yaml")
    assert (config["charset"], config["length"]) == ("1234", "2,4")  # of the surest three
    assert "length, of the surest predictions: 2,4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--charset", "0123456789z"], "which the reader does not know"),
        (["--length", "40"], "needs 40 frames"),
        (["--length", "four"], "length four: give a number"),
        (["--charset", "01", "--length", "4:6"], "which is not in the charset"),
        (["--charset", "0123456789", "--length", "2"], "add it to length, or correct the label"),
        (["--model", "captch"], "no such folder, and no such reader in the package"),
        (["views=roaming"], "cut off parts"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(start, pages, tmp_path, capsys, words, told):
    words = ["adapt", "--model", start, "--data", pages, "--output", tmp_path / "run", *FEW, *words]
    assert cli.main([str(word) for word in words]) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_labels_are_a_quarter_of_the_records():
    samples = [Sample("site", f"{i}.png") for i in range(100)]
    records = balanced(samples, samples[:5])
    assert set(records) == set(samples)
    assert sum(records.count(sample) for sample in samples[:5]) / len(records) == pytest.approx(0.25, abs=0.03)
    assert balanced(samples, []) == samples and balanced(samples, samples) == samples


def test_rare_lengths_and_characters_are_errors_but_not_in_labels():
    sure = [("abab", 0.9)] * 29 + [("abz", 0.9)]
    reader = SimpleNamespace(charset=Charset("abcz"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimates, "predict_dataset", lambda *_: sure + [("c", 0.1)] * 70)
        assert estimates.estimate_texts(reader, None) == ("ab", "4")
        assert estimates.estimate_texts(reader, None, ["cc"]) == ("abc", "2,4")
