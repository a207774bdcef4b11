"""The readers of the package: found by name, small, never written to, and good at images that are new to them."""

import csv
from pathlib import Path

import numpy as np
import pytest

import seqclr
from seqclr import cli, readers
from seqclr.config import absolute
from seqclr.data.images import as_pixels
from seqclr.decision import Decision
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.recognition.recognizer import Recognizer
from seqclr.runtime.reader import ExportedReader

SAMPLES = Path(__file__).parents[1] / "data_samples"


def test_each_has_a_run_and_a_card_and_is_small():
    assert "captcha" in readers.names()
    for name in readers.names():
        folder = readers.FOLDER / name
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert "steps of 96 views" in card and "| exact match |" in card
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 4_000_000
        path, arrays = Run.open(name).best()
        assert path.parents[1] == folder and {a.dtype.name for a in arrays.values()} <= {"float32", "uint32", "int64"}


def test_a_folder_of_the_name_is_preferred(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("model", "captcha") == "captcha" and readers.folder_of("captcha").parent == readers.FOLDER
    (tmp_path / "captcha").mkdir()  # such as one of images
    assert readers.folder_of("captcha").parent == readers.FOLDER
    (tmp_path / "captcha" / "config.yaml").write_text("width: [")
    assert readers.folder_of("captcha") == Path("captcha")
    assert absolute("model", "captcha") == str(tmp_path / "captcha")
    with pytest.raises(UserError, match="config.yaml"):
        Run.open("captcha").config()


def test_it_cannot_be_trained_in_place(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["pretrain", "--resume", "--output", "captcha"]) == 2
    assert "captcha is a reader of the package" in capsys.readouterr().err
    assert not (readers.FOLDER / "captcha" / ".lock").exists()


def test_its_architecture_is_that_of_a_training_that_starts_from_it():
    assert setup.architecture_of("captcha")["encoder"] == "fast"


def test_it_reads_the_samples():
    with open(SAMPLES / "labels.csv", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "test"][:60]
    images = [SAMPLES / "images" / row["file"] for row in rows]
    reader = seqclr.load("captcha")
    known = {"charset": "234678abcdehkmnprtuvwxy", "length": "4:5"}
    right = [read.text == row["text"] for read, row in zip(reader.predict(images, **known), rows)]
    assert np.mean(right) > 0.85
    assert np.mean([read.text == row["text"] for read, row in zip(reader.predict(images), rows)]) <= np.mean(right)


def test_each_has_a_threshold_of_its_own():
    for name in readers.names():
        decision = Decision.load(readers.FOLDER / name / "decision.json")
        assert 0 < decision.threshold < 1 and decision.lengths is None and decision.labelled >= 1000


def test_the_onnx_of_each_is_that_of_its_checkpoint():
    images = [as_pixels(path, "") for path in sorted((SAMPLES / "images").iterdir())[:40]]
    for name in readers.names():
        folder = readers.FOLDER / name
        exported, run = ExportedReader(folder), Recognizer.load(name)
        assert exported.threshold == Decision.load(folder / "decision.json").threshold
        pairs = list(zip(exported.predict_images(images), run.predict_images(images)))
        assert [a[0] for a, _ in pairs] == [b[0] for _, b in pairs]
        np.testing.assert_allclose([a[1] for a, _ in pairs], [b[1] for _, b in pairs], atol=1e-3)
