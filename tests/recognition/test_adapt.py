"""`seqclr adapt`: what is known, found or refused before a step is taken, and the run that it leaves."""

import json
import os
import shutil
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import seqclr
from seqclr import cli
from seqclr.config import load_yaml
from seqclr.data.charset import Charset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.knowledge import Possible
from seqclr.data.samples import Sample
from seqclr.decision import COST, Decision, choose_threshold
from seqclr.engine.run import Run
from seqclr.engine.trainer import Interrupted
from seqclr.errors import UserError
from seqclr.recognition import estimates
from seqclr.recognition.adapt import MOST, adapt, balanced, configure, some_of_each_source
from seqclr.recognition.evaluate import used_by
from seqclr.recognition.recognizer import Recognizer
from seqclr.recognition.splits import find_validation
from tests.small_runs import SMALL, run, untraced

FEW = ["--steps", 1, "--batch-size", 4, "--processes", 0, "--precision", "float32", "views=none", "distinct_images=4"]


@pytest.fixture(scope="module")
def start(tmp_path_factory, pages):
    """A reader of digits and two letters that has seen two steps of generated images."""
    folder = tmp_path_factory.mktemp("start") / "run"
    words = ["--method", "generated", "characters=0123456789ab", "length=2:4"]
    with untraced():
        run("pretrain", "--data", pages, "--output", folder, "--steps", 2, *words, *SMALL)
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
    assert 0 <= estimated <= 1 and f"without labels: {estimated:.2f}" in told
    decision = Decision.load(folder / "decision.json")
    assert (decision.threshold > 0) == (estimated > COST)
    assert (decision.lengths, decision.images, decision.labelled) == ((4, 5, 6), 17, 0)
    assert f"below {decision.threshold:.2f} are refused (chosen on 17 images without labels)" in told
    assert all(len(text) == 4 for text, *_ in seqclr.load(folder).predict([np.zeros((20, 50, 3), np.uint8)], length=4))
    assert seqclr.load(folder).evaluate(pages, split="train")["trained_on"] == 3
    run("adapt", "--resume", "--output", folder, "--steps", 2)  # with its data, model, charset and length
    config = load_yaml(folder / "config.yaml")
    assert (config["length"], config["generated_weight"]) == ("4,5,6", 1)


@pytest.mark.slow
def test_resumed_is_uninterrupted(start, pages, tmp_path, eagerly):
    """Bitwise, with images that have labels, images that have none, and generated ones that are left out at the end."""
    keys = {"model": str(start), "data": (str(pages),), "charset": "0123456789", "length": "4:6", "labels": 3,
            "steps": 4, "batch_size": 4, "processes": 0, "precision": "float32", "views": "none",
            "distinct_images": 4, "generated_weight": 0.01}  # fmt: skip

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                os.kill(os.getpid(), signal.SIGINT)

    adapt(configure([keys]), str(tmp_path / "whole"))
    with pytest.raises(Interrupted, match="step 2 of 4"):
        adapt(configure([keys]), str(tmp_path / "parts"), watching=[Stop()])
    adapt(configure([load_yaml(tmp_path / "parts" / "config.yaml")]), str(tmp_path / "parts"), resume=True)
    (_, expected), (_, found) = (Run.open(tmp_path / name).best() for name in ("whole", "parts"))
    for (name, a), b in zip(expected.items(), found.values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_what_is_not_known_is_estimated(start, pages, tmp_path, eagerly, monkeypatch, capsys):
    texts = [("12", 0.9), ("21", 0.8), ("1234", 0.7), *[("1", 0.6)] * 3] + [("99999999", 0.1)] * 14
    monkeypatch.setattr(estimates, "predict_records", lambda reader, dataset, indices: texts[: len(indices)])
    run("adapt", "--model", start, "--data", pages, "--output", tmp_path / "run", "--labels", 0, *FEW)
    config = load_yaml(tmp_path / "run" / "config.yaml")
    assert (config["charset"], config["length"]) == ("1234", "1,2,4")  # of the surest six
    assert "length of the surest predictions: 1,2,4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--charset", "0123456789z"], "which the reader does not know"),
        (["--length", "40"], "needs 40 frames"),
        (["--length", "four"], "length four: give a number"),
        (["--charset", "01", "--length", "4:6"], "correct the label, or add it to charset"),
        (["--charset", "0123456789", "--length", "2"], "correct it, or add it to length"),
        (["--model", "captch"], "there is no such folder; the package has the reader captcha"),
        (["views=roaming"], "cut off parts"),
        (["width=128"], "width 128: the reader"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(start, pages, tmp_path, capsys, words, told):
    words = ["adapt", "--model", start, "--data", pages, "--output", tmp_path / "run", *FEW, *words]
    assert cli.main([str(word) for word in words]) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "run").exists()


def records(count, sources=1):
    """A data set of some images, of which only the samples are asked for."""
    samples = [Sample(f"site{i % sources}", f"{i}.png") for i in range(count)]
    members = {"samples": samples, "readable": lambda self, indices: list(indices)}
    return type("Records", (list,), members)(range(count))


def test_labels_are_a_quarter_of_the_records():
    indices = balanced(records(100), {3, 7, 8, 20, 99}).indices
    assert set(indices) == set(range(100))
    assert sum(indices.count(index) for index in (3, 7, 8, 20, 99)) / len(indices) == pytest.approx(0.25, abs=0.03)
    assert balanced(records(9), set()).indices == balanced(records(9), set(range(9))).indices == list(range(9))


def test_of_a_site_with_many_images_some_without_a_label_are_used(caplog):
    caplog.set_level("INFO")
    samples = [Sample("many", f"{index}.png") for index in range(MOST + 50)] + [Sample("few", "0.png")]
    labelled = set(samples[:20])
    kept = some_of_each_source(samples, labelled, loud=True)
    assert labelled < set(kept) and samples[-1] in kept and len(kept) == MOST + 21
    assert kept == [sample for sample in samples if sample in set(kept)]
    assert f"many: {MOST} of {MOST + 30} images without a label are used" in caplog.text
    assert set(kept[20:-1]) != set(samples[20 : MOST + 20])  # drawn


def test_rare_lengths_and_characters_are_errors_but_not_in_labels(monkeypatch):
    sure = [("abab", 0.9)] * 29 + [("abz", 0.9)] + [("c", 0.1)] * 70
    monkeypatch.setattr(estimates, "predict_records", lambda *_: sure)
    reader = SimpleNamespace(charset=Charset("abcz"))
    assert estimates.estimate_texts(reader, records(100)) == ("ab", "4")
    assert estimates.estimate_texts(reader, records(100), ["cc"]) == ("abc", "2,4")
    monkeypatch.setattr(estimates, "predict_records", lambda *_: [("", 0.0)] * 100)
    with pytest.raises(UserError, match="give charset and length"):
        estimates.estimate_texts(reader, records(100))


def test_a_small_site_beside_a_large_one_counts(monkeypatch):
    few = [("abab", 0.9)] * 38 + [("z", 0.2), ("zz", 0.2)]  # every twentieth image is of another site
    data = records(40, 20)
    data.samples = [Sample("small" if row[0][0] == "z" else "large", f"{i}.png") for i, row in enumerate(few)]
    monkeypatch.setattr(estimates, "predict_records", lambda *_: few)
    reader = SimpleNamespace(charset=Charset("abz"))
    assert estimates.estimate_texts(reader, data) == ("abz", "1,4")


@pytest.fixture
def estimated(monkeypatch, tmp_path):
    """Runs an AccuracyEstimate of five images, a tenth as sure as their index; the decision and the indices seen."""

    def estimate(labelled, validation=None, before="a", fixed=(-1, -1, -1, -1, -1)):
        seen = []

        def predict(reader, dataset, indices):
            seen[:] = indices
            return [(reader.text, index / 10) for index in indices]

        monkeypatch.setattr(estimates, "predict_records", predict)
        monkeypatch.setattr(estimates, "FEWEST", 3)
        reader, file = SimpleNamespace(possible=Possible(None, (4, 5)), text="a"), tmp_path / "decision.json"
        start = SimpleNamespace(text=before)
        propagated = SimpleNamespace(confidence=keras.Variable(fixed, dtype="float32"))
        callback = estimates.AccuracyEstimate(reader, records(5), labelled, propagated, None, start, file, validation)
        callback.on_train_end()
        return callback.figures, seen, Decision.load(file)

    return estimate


def test_the_accuracy_is_estimated_on_images_whose_labels_were_not_used(estimated):
    figures, seen, decision = estimated({0, 3})
    mean = figures["mean_confidence"]
    assert seen == [1, 2, 4] and mean == pytest.approx(0.7 / 3)
    assert figures["estimated_exact_match"] == estimates.exact_match_of(mean)
    assert decision == Decision(
        choose_threshold([0.1, 0.2, 0.4], figures["estimated_exact_match"]), (4, 5), images=3, labelled=0
    )


def test_the_accuracy_is_that_of_propagated_texts_where_there_are_some(estimated):
    figures, _, _ = estimated({0, 3}, fixed=(1, 0.7, -1, 1, 0.6))
    assert figures["mean_confidence"] == pytest.approx((0.7 + 0.2 + 0.6) / 3)


def test_the_threshold_is_chosen_on_validation_rows_where_there_are_any(estimated):
    figures, _, decision = estimated({0, 3}, (records(4), ["a", "b", "b", "a"]))
    assert figures["mean_confidence"] == pytest.approx(0.7 / 3)  # of the others, as without
    threshold = choose_threshold([0, 0.1, 0.2, 0.3], [True, False, False, True])
    assert decision == Decision(threshold, (4, 5), images=4, labelled=4)


@pytest.mark.parametrize(("before", "share", "worse"), [("a", "0.500", False), ("b", "0.750", True)])
def test_a_reader_that_was_better_before_is_said(estimated, caplog, before, share, worse):
    caplog.set_level("INFO", "seqclr")
    truths = ["a", "b", "b", "a"] if before == "a" else ["a", "b", "b", "b"]
    estimated({0, 3}, (records(4), truths), before)
    told = caplog.text
    after = "0.250" if worse else "0.500"
    assert f"exact match on 4 validation images: {after}, before the adaptation {share}" in told
    assert ("has made the reader worse" in told) == worse


@pytest.mark.parametrize("labelled", [{0, 1, 3}, set(range(5))])
def test_too_few_images_without_labels_choose_no_threshold(estimated, labelled, capsys):
    assert estimated(labelled)[1:] == ([0, 1, 2, 3, 4], Decision())
    assert not capsys.readouterr().err


def test_validation_rows_are_those_with_a_label_that_are_not_trained_on(pages, tmp_path):
    rows = (pages / "labels.csv").read_text().splitlines()
    rows[1:5] = [row.replace(",train", ",validation") for row in rows[1:5]]
    rows[1] = rows[1].split(",")[0] + ",,validation"
    shutil.copytree(pages, tmp_path / "data")
    (tmp_path / "data" / "labels.csv").write_text("\n".join(rows) + "\n")
    samples = find_unlabelled([tmp_path / "data"], "validation")
    config = SimpleNamespace(data=[tmp_path / "data"], label_pattern=None, split=None, labels=None, seed=0)
    assert used_by(config)[1] == samples[1:] and not set(used_by(config)[0]) & set(samples)
    assert find_validation(config, []) == samples[1:] and find_validation(config, samples[:2]) == samples[2:]


def test_the_log_odds_of_an_estimate_are_those_of_the_mean_confidence_and_an_offset():
    odds = np.linspace(-3, 3, 7)
    found = [estimates.exact_match_of(1 / (1 + np.exp(-odd))) for odd in odds]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-odds - estimates.OFFSET)), rtol=1e-3)
    assert 0 < estimates.exact_match_of(0.0) < estimates.exact_match_of(1.0) < 1
