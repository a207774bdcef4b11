"""Which labels are trained on, which are validated on, and what the validation does with what it sees."""

import csv
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import SMALL

from seqclr import cli
from seqclr.config import FinetuneConfig, resolve
from seqclr.data.charset import Charset
from seqclr.data.records import Entry
from seqclr.engine import checkpoints
from seqclr.engine.trainer import Trainer
from seqclr.errors import UserError
from seqclr.methods.ctc import CTC
from seqclr.recognize.finetune import Validation, few, split_off_validation

TWO_SOURCES = [Entry(source, f"{source}/{i}.png", str(i)) for source in ("a", "b") for i in range(30)]


def config_of(**values):
    return resolve(FinetuneConfig, CTC, [values])


def split(**values) -> tuple[list[str], list[str]]:
    return tuple([os.path.basename(entry.file) for entry in part] for part in split_off_validation(config_of(**values)))


# labels


def test_few_draws_by_the_seed_from_every_source():
    drawn = few(TWO_SOURCES, 5, seed=0)
    assert [entry.source for entry in drawn] == ["a"] * 5 + ["b"] * 5 and len(set(drawn)) == 10
    assert drawn == few(TWO_SOURCES, 5, seed=0) != few(TWO_SOURCES, 5, seed=1)
    assert sorted(entry.file for entry in few(TWO_SOURCES, 99, 0)) == sorted(entry.file for entry in TWO_SOURCES)
    assert few(TWO_SOURCES, None, 0) == TWO_SOURCES


# validation


def test_a_tenth_is_held_out_and_the_test_split_is_left_alone(pages):
    train, validation = split(data=[str(pages)])
    assert len(train) == 18 and len(validation) == 2 and not set(train) & set(validation)
    assert not {f"{i:06d}.png" for i in range(20, 24)} & {*train, *validation}
    assert (train, validation) == split(data=[str(pages)]) != split(data=[str(pages)], seed=1)
    asked = split(data=[str(pages)], split="test")
    assert len(asked[0]) == 3 and len(asked[1]) == 1
    assert list(map(len, split(data=[str(pages)], labels=10))) == [9, 1]


def test_an_image_that_is_listed_twice_is_not_on_both_sides(pages, tmp_path):
    rows = [f"{pages}/images/{i % 5:06d}.png,12" for i in range(15)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,text", *rows, ""]))
    for seed in range(5):
        train, validation = split(data=[str(tmp_path)], seed=seed)
        assert train and validation and not set(train) & set(validation)


def test_validation_data_never_holds_what_is_trained_on(pages, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(pages)
    monkeypatch.chdir(pages.parent)
    for path in (pages, "pages", "pages/../pages/labels.csv", tmp_path / "link"):
        train, validation = split(data=[str(pages)], validation=str(path), labels=8)
        assert len(train) == 8 and len(validation) == 12 and not set(train) & set(validation)
    (tmp_path / "trained.csv").write_text(f"file,text\n{pages}/images/000003.png,794348\n")
    with pytest.raises(UserError, match="nothing but the images that are trained on"):
        split(data=[str(pages)], validation=str(tmp_path / "trained.csv"))


# charset, case and unknown characters


@pytest.fixture
def learned(monkeypatch, pages, tmp_path):
    """The charset of a fine-tuning on given texts, and the labels that its first batch would have taught."""

    def learned(texts: list[str], *settings: str) -> tuple[dict, set[str]]:
        rows = [f'{pages}/images/{i:06d}.png,"{text}"' for i, text in enumerate(texts)]
        (tmp_path / "labels.csv").write_text("\n".join(["file,text", *rows, ""]), encoding="utf-8")
        taught = []

        def fit(trainer):
            for _ in range(3):
                taught.extend(next(trainer.loader)["label"])
            return {}

        monkeypatch.setattr(Trainer, "fit", fit)
        run = tmp_path / "run"
        words = ["--data", str(tmp_path), "--output", str(run), *SMALL, "--batch-size", "8", *settings]
        assert cli.main(["finetune", *words]) == 0
        charset = json.loads((run / "charset.json").read_text(encoding="utf-8"))
        return charset, {Charset(**charset).decode(label[label >= 0]) for label in taught}

    return learned


TEXTS = ["aB", "Ba", "cafe\u0301", "B-B"] * 4


def test_the_charset_is_that_of_the_labels_sorted_and_composed(learned):
    charset, taught = learned(TEXTS)
    assert charset == {"characters": "-Bacfé", "case": "keep", "unknown": "error"}
    assert taught == {"aB", "Ba", "café", "B-B"}


def test_case_is_applied_to_charset_and_labels(learned):
    charset, taught = learned(TEXTS, "case=lower")
    assert charset["characters"] == "-abcfé" and taught == {"ab", "ba", "café", "b-b"}


def test_unknown_characters_are_dropped_where_that_is_asked_for(learned):
    charset, taught = learned(TEXTS, "charset=abcdefé", "case=lower", "unknown=drop")
    assert charset == {"characters": "abcdefé", "case": "lower", "unknown": "drop"}
    assert taught == {"ab", "ba", "café", "bb"}


# the validation's own work


class Reads:
    """A recognizer that reads `text` in every image."""

    text = ""

    def read_fitted(self, pixels, widths):
        return [(self.text, 0.5)] * len(pixels)


class Rounds:
    """Runs a Validation through rounds and notes what it keeps and when it stops."""

    def __init__(self, reads: list[str], text: str = "abcd", patience: int | None = None):
        fitted = [{"image": np.zeros((1, 1, 3), np.uint8), "width": np.int32(1)}] * 3
        recognizer = Reads()
        self.validation = Validation(recognizer, fitted, [text] * 3, patience)
        self.validation.set_model(SimpleNamespace(stop_training=False))
        self.kept, self.logs = [], []
        for step, recognizer.text in enumerate(reads, 1):
            self.validation.trainer = SimpleNamespace(
                step=step, save=lambda name, step=step: self.kept.append((name, step))
            )
            self.logs.append({})
            self.validation.on_epoch_end(step - 1, self.logs[-1])
            if self.validation.model.stop_training:
                break


def test_the_best_weights_are_kept():
    rounds = Rounds(["a", "abc", "ab", "abcd", "", "abc"])
    assert rounds.kept == [("best", 1), ("best", 2), ("best", 4)]
    assert (rounds.validation.best, rounds.validation.best_step) == (1.0, 4)
    assert [logs["val_edit_distance_accuracy"] for logs in rounds.logs] == [0.25, 0.75, 0.5, 1.0, 0.0, 0.75]
    assert [logs["val_exact_match"] for logs in rounds.logs] == [0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    "reads, patience, rounds",
    [(["a", "ab", "a", "a", "a"], 2, 4), (["a"] * 6, 3, 4), (["a", "", "ab", "", "abc"], 2, 5), (["a"] * 6, None, 6)],
)
def test_patience_ends_after_rounds_without_a_better_one(reads, patience, rounds):
    assert len(Rounds(reads, patience=patience).logs) == rounds


def test_a_plateau_of_blanks_is_told_once(capsys):
    Rounds([""] * 7 + ["a"] + [""] * 7)
    assert "stuck at blank" not in capsys.readouterr().err
    Rounds([""] * 20)
    assert capsys.readouterr().err.count("stuck at blank: eight rounds") == 1


def test_the_state_of_a_validation_goes_on():
    first, second = Rounds(["a", "abc", "ab"]).validation, Rounds([]).validation
    second.set_state(json.loads(json.dumps(first.get_state())))
    assert second.get_state() == first.get_state() == {"best": 0.75, "best_step": 2, "waited": 1, "blank": 0}


def test_a_run_keeps_its_best_checkpoint(reader):
    with open(reader / "metrics.csv", newline="") as stream:
        rows = [(float(row["val_edit_distance_accuracy"]), float(row["step"])) for row in csv.DictReader(stream)]
    _, state = checkpoints.load(reader / "checkpoints" / "best.npz")
    assert (max(rows)[0], state["step"]) == max(rows)
