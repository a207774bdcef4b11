"""`improve`: what is trained on and held out, the comparison, and the export that is replaced."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from seqclr import cli
from seqclr.data.charset import Charset
from seqclr.data.discovery import find, find_unlabelled
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.recognition import improve as improving
from seqclr.recognition.improve import Comparison, Part, copy, right
from tests.small_runs import run


def feedback(folder: Path, accepted: list[tuple], refused: list[tuple], image: bytes = b"image") -> Path:
    """The folder of `--keep`: rows of (name, text, split)."""
    for table, images, rows in (("labels.csv", "images", accepted), ("refused.csv", "refused", refused)):
        (folder / images).mkdir(parents=True)
        with open(folder / table, "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", "text", "split", "source", "time"])
            writer.writerows([f"{images}/{row[0]}", *row[1:], "login", "2026-01-01T00:00:00Z"] for row in rows)
        for row in rows:
            (folder / images / row[0]).write_bytes(image)
    return folder


ACCEPTED = [("1.png", "12", "train"), ("2.png", "34", "test"), ("3.png", "56", "train")]
REFUSED = [("4.png", "77", "train"), ("5.png", "88", "test")]


def test_held_out_images_are_not_trained_on(tmp_path):
    kept = feedback(tmp_path / "kept", ACCEPTED, REFUSED)
    (kept / "images" / "3.png").unlink()  # the server has removed it
    copy(kept, tmp_path / "round")
    data = tmp_path / "round" / "data"
    samples = {Path(sample.file).name: sample.text for sample in find_unlabelled([data])}
    assert samples == {"1.png": "12", "4.png": None, "5.png": None}  # a refused text is no label
    assert [Path(sample.file).name for sample in find([data], "test")] == ["2.png"]


def test_a_refused_image_that_was_labelled_by_hand_is_trained_on_with_its_label(tmp_path):
    kept = feedback(tmp_path / "kept", ACCEPTED, REFUSED)
    with open(kept / "labels.csv", "a") as stream:
        stream.write("refused/4.png,78,train,typed,2026-01-02T00:00:00Z\r\n")
    copy(kept, tmp_path / "round")
    assert sorted(sample.text for sample in find([tmp_path / "round" / "data"], "train")) == ["12", "56", "78"]


def test_an_image_that_was_marked_as_unreadable_is_left_out(tmp_path):
    kept = feedback(tmp_path / "kept", [*ACCEPTED, ("6.png", "", "test"), ("7.png", "", "train")], REFUSED)
    copy(kept, tmp_path / "round")
    assert {sample.text for sample in find([tmp_path / "round" / "data"])} == {"12", "34", "56"}
    kept = feedback(tmp_path / "none", [("2.png", "34", "test"), ("7.png", "", "train")], REFUSED)
    with pytest.raises(UserError, match="no accepted text to train on yet"):
        copy(kept, tmp_path / "round_2")


def test_folders_that_are_refused(tmp_path, capsys):
    with pytest.raises(UserError, match="has no labels.csv: give the folder of a model"):
        copy(tmp_path, tmp_path / "round")
    outside = feedback(tmp_path / "outside", [("../../1.png", "12", "train")], [])
    with pytest.raises(UserError, match="labels.csv, line 2 is not as seqclr serve writes it"):
        copy(outside, tmp_path / "round")
    cut = feedback(tmp_path / "cut", ACCEPTED, [])
    with open(cut / "labels.csv", "a") as stream:
        stream.write("images/3.png,5")  # of a server that was killed
    with pytest.raises(UserError, match="labels.csv, line 5 is not as"):
        copy(cut, tmp_path / "round")
    (cut / "labels.csv").write_bytes(b"file,text\n\xff")
    with pytest.raises(UserError, match="is not UTF-8"):
        copy(cut, tmp_path / "round")
    kept = feedback(tmp_path / "kept", [], REFUSED)
    with pytest.raises(UserError, match="no accepted text to train on yet"):
        copy(kept, tmp_path / "round")
    assert not (tmp_path / "round").exists()
    words = ["improve", "--model", "captcha", "--feedback", str(kept), "--output", str(tmp_path / "round")]
    assert cli.main([*words, "--export", str(kept)]) == 2
    assert "is not an export, so there is none to replace" in capsys.readouterr().err
    assert cli.main([*words, "--resume"]) == 2


def part(both: int, only_old: int, only_new: int, name: str = "part") -> Part:
    return Part(
        name, [True] * (both + only_old) + [False] * only_new, [True] * both + [False] * only_old + [True] * only_new
    )


@pytest.mark.parametrize(("only_old", "only_new", "p"), [(0, 0, 1.0), (2, 10, 0.03857), (0, 5, 0.0625), (3, 3, 1.0)])
def test_mcnemars_exact_test(only_old, only_new, p):
    assert part(7, only_old, only_new).p == pytest.approx(p, abs=1e-4)


def test_which_reader_is_better():
    run = Path("run")
    assert Comparison(run, [part(5, 2, 10)]).better
    assert not Comparison(run, [part(5, 0, 5)]).better  # that may be chance
    assert not Comparison(run, [part(5, 10, 2)]).better
    worse = Comparison(run, [part(5, 8, 0, "labelled"), part(5, 0, 40, "accepted")])
    assert not worse.better  # worse on one of the parts
    assert "not significantly better" in worse.table()
    assert Comparison(run, [part(0, 0, 0, "labelled"), part(5, 2, 12)]).figures()["labelled"]["old"] is None


def test_what_counts_as_right():
    rows = [("12", 0.99), ("34", 0.5), ("", 0.0)]
    reader = SimpleNamespace(charset=Charset("1234"), predict_samples=lambda samples: iter(rows))
    samples = [Sample("a", f"{i}.png", text) for i, text in enumerate(("12", "43", "1"))]
    assert right(reader, samples) == [True, False, False]


def test_what_adapt_refuses_leaves_no_folder_and_damaged_images_are_not_compared_on(pages, tmp_path, monkeypatch):
    found = find([pages], "train")
    kept = feedback(tmp_path / "kept", ACCEPTED, REFUSED, Path(found[0].file).read_bytes())
    (data := tmp_path / "data").mkdir()
    for number, sample in enumerate(found[:2]):
        whole = Path(sample.file).read_bytes()
        (data / f"{number}.png").write_bytes(whole if number else whole[:-200])
    (data / "labels.csv").write_text("file,text,split\n0.png,12,validation\n1.png,34,validation\n")
    compared = []
    monkeypatch.setattr(improving, "right", lambda reader, samples: compared.append(samples) or [True] * len(samples))

    def refuse(config, output, resume):
        assert [Path(sample.file).name for part in compared for sample in part] == ["1.png", "2.png"]
        if refuse.begun:
            (Path(output) / "config.yaml").parent.mkdir()
            (Path(output) / "config.yaml").touch()
        raise UserError("correct the label")

    monkeypatch.setattr(improving.adapt, "adapt", refuse)
    for refuse.begun in (False, True):
        compared.clear()
        with pytest.raises(UserError, match="correct the label"):
            improving.improve("captcha", kept, tmp_path / "round", [str(data)], steps=1)
        assert (tmp_path / "round").exists() == refuse.begun


@pytest.mark.slow
def test_a_round_from_the_command_line(reader, exported, pages, tmp_path, eagerly, monkeypatch, capsys):
    found = find([pages], "train")
    rows = [(Path(s.file).name, s.text, "test" if i % 5 == 0 else "train") for i, s in enumerate(found)]
    kept = feedback(tmp_path / "kept", rows[:14], [(name, "0", split) for name, _, split in rows[14:]])
    for sample in found:
        for images in ("images", "refused"):
            if (kept / images / Path(sample.file).name).is_file():
                (kept / images / Path(sample.file).name).write_bytes(Path(sample.file).read_bytes())
    words = ["--model", reader, "--feedback", kept, "--output", tmp_path / "round", "--data", pages, "--steps", 1]
    monkeypatch.setattr(Comparison, "better", True)
    replaced = []
    monkeypatch.setattr("seqclr.export.replace.replace", lambda run, target: replaced.append((run, target)))
    run("improve", *words, "--export", exported, "--json", tmp_path / "figures.json")
    assert replaced == [(tmp_path / "round" / "run", exported)]
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [figures[name]["images"] for name in ("labelled, held out", "accepted, held out")] == [4, 3]
    run("improve", *words, "--resume")
    assert str(tmp_path / "round" / "run") in capsys.readouterr().out
