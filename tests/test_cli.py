"""The verbs as a user meets them: what they write, and that a mistake is one sentence, exit 2 and nothing written."""

import csv
import errno
import io
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seqclr
from seqclr import cli, files
from seqclr.engine.trainer import Interrupted
from seqclr.recognition import metrics
from tests.small_runs import SMALL

ROOT = Path(__file__).parents[1]
TOOLS = {path.stem.replace("_", "-"): path for path in (ROOT / "tools").glob("*.py")}
BARS_AND_SKIPS = re.compile(r"%\||skipped: ")


def files_of(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def refused(capsys, tmp_path):
    """Runs a verb that must end with 2, one sentence that holds `told`, and everything in `tmp_path` as it was."""

    def refused(*words: object, told: str) -> None:
        before = files_of(tmp_path)
        capsys.readouterr()
        status = cli.main([str(word) for word in words])
        lines = re.split(r"[\r\n]+", capsys.readouterr().err)
        lines = [line for line in lines if line.strip() and not BARS_AND_SKIPS.search(line)]
        assert status == 2
        assert len(lines) == 1, lines
        assert lines[0].startswith(f"seqclr {words[0]}: ") and told in lines[0]
        assert files_of(tmp_path) == before

    return refused


def words(verb: str, data: Path, output: Path, reader: Path) -> list:
    """A verb on some data."""
    return {
        "pretrain": ["pretrain", "--data", data, "--output", output, "--steps", 1, *SMALL],
        "finetune": ["finetune", "--data", data, "--output", output, "--steps", 1, *SMALL],
        "evaluate": ["evaluate", "--model", reader, "--data", data],
        "predict": ["predict", "--model", reader, data],
    }[verb]


def page() -> bytes:
    stream = io.BytesIO()
    Image.radial_gradient("L").resize((60, 20)).save(stream, "PNG")
    return stream.getvalue()


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def labelled(folder: Path, rows: list[str], header: str = "file,text", encoding: str = "utf-8") -> Path:
    """A folder with good.png, other.png and a labels.csv of the rows."""
    folder.mkdir()
    for name in ("good.png", "other.png"):
        (folder / name).write_bytes(page())
    (folder / "labels.csv").write_text("\n".join([header, *rows, ""]), encoding=encoding)
    return folder


# data

BAD = {"truncated": page()[:-200], "text": b"no image", "empty": b"", "one_pixel": png(1, 1), "wide": png(20_000, 20)}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("verb", ["pretrain", "finetune", "evaluate", "predict"])
def test_a_bad_image_is_named(refused, tmp_path, reader, verb, kind):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / f"{kind}.png").write_bytes(BAD[kind])
    if verb in ("finetune", "evaluate"):
        (folder / "good.png").write_bytes(page())
        (folder / "labels.csv").write_text(f"file,text\ngood.png,12\n{kind}.png,34\n")
    refused(*words(verb, folder, tmp_path / "run", reader), told=f"{folder / kind}.png")


@pytest.mark.parametrize("verb", ["pretrain", "finetune", "evaluate", "predict"])
def test_a_missing_path_or_empty_folder_is_named(refused, tmp_path, reader, verb):
    refused(*words(verb, tmp_path / "nowhere", tmp_path / "run", reader), told=str(tmp_path / "nowhere"))
    (tmp_path / "hollow").mkdir()
    refused(*words(verb, tmp_path / "hollow", tmp_path / "run", reader), told=f"{tmp_path / 'hollow'} holds no image")


def test_one_bad_image_of_many_without_labels_is_skipped_and_counted(capsys, pages, tmp_path, eagerly):
    shutil.copytree(pages / "images", tmp_path / "images")
    (tmp_path / "images" / "bad.png").write_bytes(BAD["truncated"])
    assert cli.main([str(w) for w in words("pretrain", tmp_path / "images", tmp_path / "run", Path())]) == 0
    told = capsys.readouterr().err
    assert (
        "24 images" in told
        and "1 image(s) that cannot be read were skipped" in told
        and "bad.png is damaged or truncated" in told
    )


@pytest.mark.parametrize(
    "header, rows, told",
    [
        ("file,label", ["good.png,12"], "has no column 'text'"),
        ("image,text", ["good.png,12"], "has no column 'file'"),
        ("file,text", ["good.png,12", "lost.png,34"], "labels.csv, line 3 names lost.png"),
        ("file,text", ["good.png,", "other.png,"], "good.png has an empty text, as all others"),
        ("file,text", [], "labels.csv has no rows"),
        ("file,text,split", ["good.png,12,test", "other.png,34,test"], "no samples to train on"),
        ("file,text", ["good.png,12"], "one label is not enough"),
        ("file,text", ["good.png,12", "other.png,12345678901234567"], "other.png has the label '12345678901234567'"),
    ],
)
def test_a_table_that_cannot_be_trained_on(refused, tmp_path, header, rows, told):
    folder = labelled(tmp_path / "data", rows, header)
    validation = ["--validation", labelled(tmp_path / "validation", ["good.png,12"])] if len(rows) > 1 else []
    refused(*words("finetune", folder, tmp_path / "run", Path()), *validation, told=told)


@pytest.mark.parametrize("stranger", ["good", "other"])  # one of them is held out for validation
def test_a_label_outside_the_given_charset(refused, tmp_path, stranger):
    rows = [f"{name}.png,{'1?2' if name == stranger else '12'}" for name in ("good", "other")]
    finetune = words("finetune", labelled(tmp_path / "data", rows), tmp_path / "run", Path())
    refused(*finetune, "--charset", "0123456789", told=f"{stranger}.png has the text '1?2' with '?'")


def test_a_table_of_a_spreadsheet_with_a_byte_order_mark(tmp_path, reader):
    folder = labelled(tmp_path / "data", ["good.png,12", "other.png,34"], encoding="utf-8-sig")
    assert cli.main(["evaluate", "--model", str(reader), "--data", str(folder)]) == 0


def test_an_image_with_an_empty_text_is_left_out_and_counted(tmp_path, reader, capsys):
    """The labels of the folder are 12 and 34; the table of `seqclr label` takes that of other.png away."""
    folder, figures = labelled(tmp_path / "data", ["good.png,12", "other.png,34"]), tmp_path / "figures.json"
    table = tmp_path / "mine.csv"
    table.write_text("file,text,split,source,time\ndata/other.png,,,unreadable,\n")
    words = ["evaluate", "--model", reader, "--data", folder, table, "--json", figures]
    assert cli.main(list(map(str, words))) == 0
    assert json.loads(figures.read_text())["samples"] == 1
    left_out = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert len(left_out) == 1 and "1 image(s) with an empty text" in left_out[0] and "other.png" in left_out[0]


def test_a_split_that_is_not_there(refused, pages, reader):
    refused("evaluate", "--model", reader, "--data", pages, "--split", "dev", told="it has test, train")


# keys


@pytest.mark.parametrize(
    "verb, settings, told",
    [
        ("finetune", ["encodr=tiny"], "the key 'encodr' does not exist: did you mean encoder?"),
        ("finetune", ["--batchsize", "4"], "the option '--batchsize' does not exist: did you mean --batch-size?"),
        ("finetune", ["zzz=1"], "'zzz' does not exist: known are"),
        ("finetune", ["something"], "'something' is neither an option nor key=value"),
        ("pretrain", ["method=simklr"], "method 'simklr' is not known: autoencoder, barlow_twins"),
        ("pretrain", ["--method", "simklr"], "method 'simklr' is not known: autoencoder, barlow_twins"),
        ("pretrain", ["encoder=huge"], "encoder 'huge' is not known: tiny, small, base"),
        ("pretrain", ["encoder=resnet9", "resize=pad"], "resize=pad: an image encoder"),
        ("pretrain", ["encoder=resnet9", "method=masked"], "of images: Masked takes tiny, small, base"),
        (
            "finetune",
            ["encoder=resnet9"],
            "encoder 'resnet9' is of images: CTC takes tiny, small, base",
        ),
        ("pretrain", ["positions=rotary"], "positions 'rotary' is not known: none, "),
        ("pretrain", ["frames=some"], "frames 'some' is not known: "),
        ("pretrain", ["views=wild"], "views 'wild' is neither a preset (article"),
        ("finetune", ["optimizer=adagrad"], "optimizer 'adagrad' is not known: sgd, "),
        ("finetune", ["precision=float64"], "precision 'float64' is not known: auto, "),
        ("finetune", ["resize=crop"], "resize 'crop' is not known: stretch, pad"),
        ("finetune", ["case=title"], "case 'title' is not known: keep, "),
        ("finetune", ["unknown=ignore"], "unknown 'ignore' is not known: error, drop"),
        ("finetune", ["steps=many"], "steps=many does not fit"),
        ("finetune", ["--height", "tall"], "height=tall does not fit"),
        ("finetune", ["tensorboard=perhaps"], "tensorboard=perhaps does not fit"),
        ("finetune", ["learning_rate=[1,2]"], "learning_rate=[1,2] does not fit: a number"),
        ("finetune", ["--batch-size", "0"], "batch_size 0: at least 1"),
        ("finetune", ["--labels", "0"], "labels 0: at least 1"),
        ("finetune", ["--steps", "-1"], "steps -1: at least 1"),
        ("finetune", ["steps=null"], "steps and epochs are both null"),
        ("finetune", ["learning_rate=nan"], "learning_rate nan: "),
        ("finetune", ["dropout=1.5"], "dropout 1.5: 0 to 0.99"),
        ("finetune", ["seed=-1"], "seed -1: at least 0"),
        ("finetune", ["height=4"], "height 4: at least 8"),
    ],
)
def test_a_wrong_key_or_value(refused, pages, tmp_path, verb, settings, told):
    refused(*words(verb, pages, tmp_path / "run", Path()), *settings, told=told)


@pytest.mark.parametrize(
    "text, told",
    [
        ("encodr: tiny", "the key 'encodr' does not exist: did you mean encoder?"),
        ("1: tiny", "the key '1' does not exist"),
        ("- encoder", "is not a list of 'key: value' lines"),
        ("encoder: [tiny", "is not a YAML file"),
        ("steps: many", "steps=many does not fit"),
        ("optimizer: {name: sgd}", "does not fit"),
        (None, "is neither a file nor one of article_simclr, article_simsiam, captcha, "),
    ],
)
def test_a_wrong_config_file(refused, pages, tmp_path, text, told):
    file = tmp_path / "config.yaml"
    if text is not None:
        file.write_text(text)
    refused(*words("finetune", pages, tmp_path / "run", Path()), "--config", file, told=told)


def test_flags_override_the_config_file(pages, tmp_path, capsys):
    file = tmp_path / "config.yaml"
    file.write_text("optimizer: none of these\nbatch_size: 0\n")
    assert cli.main([*map(str, words("finetune", pages, tmp_path / "run", Path())), "--config", str(file)]) == 2
    assert "optimizer 'none of these'" in capsys.readouterr().err


# runs and outputs


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_outputs_that_cannot_be_are_refused_before_the_training(refused, pages, tmp_path, verb):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    refused(*words(verb, pages, tmp_path / "used", Path()), told=f"{tmp_path / 'used'} exists already")
    refused(*words(verb, pages, tmp_path / "file", Path()), told=f"{tmp_path / 'file'} exists already")
    refused(*words(verb, pages, tmp_path / "file" / "run", Path()), told=f"{tmp_path / 'file'} is a file")
    json_file = tmp_path / "nowhere" / "figures.json"
    refused(*words(verb, pages, tmp_path / "run", Path()), "--json", json_file, told=f"{json_file} cannot be written")
    refused(*words(verb, pages, tmp_path / "run", Path()), "--resume", told=f"{tmp_path / 'run'} is not a run")
    same = tmp_path / "run"
    refused(*words(verb, pages, same, Path()), "--json", same, told=f"--json {same} is the folder of --output")
    refused(verb, "--data", pages, told="--output")


@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_figures_that_cannot_be_written_are_refused_before_the_work(refused, pages, tmp_path, verb):
    told = f"{tmp_path / 'nowhere' / 'figures.json'} cannot be written"
    refused(*words(verb, pages, tmp_path, Path("no model")), "--json", tmp_path / "nowhere" / "figures.json", told=told)


def test_figures_and_plots_have_paths_of_their_own(refused, pages, tmp_path):
    same = tmp_path / "figures"
    refused(*words("evaluate", pages, tmp_path, Path("no model")), "--json", same, "--plots", same, told="of --plots")


def test_a_run_without_its_characters_is_named(refused, reader, pages, tmp_path):
    shutil.copytree(reader, tmp_path / "copy")
    (tmp_path / "copy" / "charset.json").unlink()
    refused(*words("evaluate", pages, tmp_path, tmp_path / "copy"), told="charset.json is missing: copy the whole run")


@pytest.mark.parametrize("verb", ["evaluate", "predict", "export"])
def test_a_model_that_predicts_no_text(refused, pages, pretrained, tmp_path, verb):
    (tmp_path / "folder").mkdir()
    for model, told in (
        (pretrained, "was only pretrained"),
        (tmp_path / "nothing", "there is no such folder"),
        (tmp_path / "folder", "has no config.yaml"),
    ):
        rest = {"evaluate": ["--data", pages], "predict": [pages], "export": ["--output", tmp_path / "export"]}[verb]
        refused(verb, "--model", model, *rest, told=f"{model} {told}" if model == pretrained else told)


def edited(run: Path, copy: Path, old: str, new: str) -> Path:
    shutil.copytree(run, copy)
    config = (copy / "config.yaml").read_text()
    assert old in config
    (copy / "config.yaml").write_text(config.replace(old, new))
    return copy


@pytest.mark.parametrize(
    "old, new, told",
    [
        ("encoder: least", "encoder: small", "best.npz is of another architecture"),
        ("positions: convolutional", "positions: none", "best.npz is of another architecture"),
        ("height: 16", "height: tall", "config.yaml: height=tall does not fit"),
        ("height: 16\n", "", "best.npz is of another architecture"),
    ],
)
def test_a_run_whose_config_was_edited(refused, reader, pages, tmp_path, old, new, told):
    refused("evaluate", "--model", edited(reader, tmp_path / "run", old, new), "--data", pages, told=told)


@pytest.mark.parametrize("name", ["checkpoints/best.npz", "charset.json"])
def test_a_run_with_a_damaged_file(refused, reader, pages, tmp_path, name):
    shutil.copytree(reader, tmp_path / "run")
    (tmp_path / "run" / name).write_bytes((reader / name).read_bytes()[:20])
    refused("predict", "--model", tmp_path / "run", pages, told=name)


@pytest.mark.parametrize("file", ["labels.csv", "labels.jsonl", "figures.json"])
def test_figures_replace_nothing_but_figures(refused, pages, tmp_path, capsys, file):
    (tmp_path / file).write_text('{"file": "a.png", "text": "a"}\n')
    refused("check", pages, "--json", tmp_path / file, told=f"{file} exists already and was not written by seqclr")
    for _ in range(2):
        assert cli.main(["check", str(pages), "--json", str(tmp_path / "ours.json")]) == 0
        assert json.loads((tmp_path / "ours.json").read_text())["seqclr"]


@pytest.mark.parametrize(
    "file, old, new, told",
    [
        ("charset.json", "0123456789", "1234567890", "of another charset: it was trained with charset 0123456789"),
        (
            "config.yaml",
            "resize: stretch",
            "resize: pad",
            "another architecture: it was trained with resize stretch",
        ),
    ],
)
def test_a_checkpoint_of_other_facts_than_its_folder(refused, reader, pages, tmp_path, file, old, new, told):
    shutil.copytree(reader, tmp_path / "run")
    path = tmp_path / "run" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    refused("predict", "--model", tmp_path / "run", pages, told=told)
    refused("finetune", "--resume", "--output", tmp_path / "run", told="another" if "charset" in told else "resize")


def test_a_damaged_export(refused, exported, pages, tmp_path):
    shutil.copytree(exported, tmp_path / "export")
    (tmp_path / "export" / "saved_model.pb").write_bytes(b"\xff no model")
    refused("predict", "--model", tmp_path / "export", pages, told="saved_model.pb has another content than when")
    (tmp_path / "export" / "reader.json").unlink()
    refused("predict", "--model", tmp_path / "export", pages, told="has no reader.json")
    refused("evaluate", "--model", exported, "--data", pages, "--beam", 4, told="has no beam search")


def test_finetuning_takes_the_architecture_of_the_pretrained_run_and_refuses_another(
    refused, pages, pretrained, tmp_path, eagerly
):
    words = ["--data", pages, "--output", tmp_path / "run", "--pretrained", pretrained, "--steps", 1, "--processes", 0]
    for setting in ("encoder=small", "height=32", "positions=learned"):
        refused("finetune", *words, setting, told="is of another architecture")
    refused("finetune", *words[:-6], "--pretrained", tmp_path / "nothing", told="there is no such folder")
    assert cli.main([str(word) for word in ["finetune", *words, "batch_size=4"]]) == 0
    assert "height: 16\nwidth: 64\n" in (tmp_path / "run" / "config.yaml").read_text()


def test_a_run_folder_holds_what_is_promised(pretrained, reader):
    for run in (pretrained, reader):
        assert {"config.yaml", "metrics.csv", "checkpoints", "plots"} <= {path.name for path in run.iterdir()}
        assert list((run / "checkpoints").glob("step-*.npz")) and (run / "plots" / "metrics.png").is_file()
    assert json.loads((reader / "charset.json").read_text())["characters"] == "0123456789"
    with open(reader / "metrics.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[-1]["step"]) == 60 and float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 10


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_resuming_a_finished_run_changes_nothing(pretrained, reader, tmp_path, kind, capsys):
    run = tmp_path / "run"
    shutil.copytree(pretrained if kind == "pretrain" else reader, run)
    before = files_of(run)
    assert cli.main([kind, "--resume", "--output", str(run)]) == 0
    assert files_of(run) == before


@pytest.mark.parametrize(
    ("key", "before"),
    [
        ("method=simsiam", "simclr"),
        ("encoder=small", "least"),
        ("height=32", "16"),
        ("resize=pad", "stretch"),
        ("positions=none", "convolutional"),
        ("views=strong", "none"),
        ("frames=all", "frames:2"),
        ("temperature=0.3", "None"),
        ("optimizer=lamb", "adamw"),
        ("batch_size=8", "16"),
        ("seed=1", "0"),
    ],
)
def test_resuming_a_pretraining_otherwise_is_refused(refused, pretrained, tmp_path, key, before):
    shutil.copytree(pretrained, tmp_path / "run")
    told = f"{key.replace('=', ' ')}: {tmp_path / 'run'} was started with {before}, and --resume needs the same"
    refused("pretrain", "--resume", "--output", tmp_path / "run", key, told=told)


@pytest.mark.parametrize(
    ("key", "before"),
    [
        ("case=lower", "keep"),
        ("charset=0123456789ab", "None"),
        ("unknown=drop", "error"),
        ("labels=7", "None"),
        ("keep_head=1", "0"),
        ("encoder_rate=0.5", "1.0"),
    ],
)
def test_resuming_a_fine_tuning_otherwise_is_refused(refused, reader, pages, tmp_path, key, before):
    run = tmp_path / "run"
    shutil.copytree(reader, run)
    refused("finetune", "--resume", "--output", run, *(["--pretrained", reader] if key == "keep_head=1" else []), key,
            told=f"{key.replace('=', ' ')}: {run} was started with {before}, and --resume")  # fmt: skip
    refused("finetune", "--resume", "--output", run, "--unlabelled", pages, told=f"{run} was started with []")


def with_other_texts(pages, folder, change) -> list[list[str]]:
    """Copies labelled images to a folder, with changed texts; returns the rows of the table."""
    shutil.copytree(pages, folder)
    table = folder / "labels.csv"
    head, *rows = (row.split(",") for row in table.read_text().splitlines())
    rows = [[file, change(text), split] for file, text, split in rows]
    table.write_text("".join(",".join(row) + "\n" for row in [head, *rows]))
    return rows


def test_resuming_with_other_characters_is_refused(refused, reader, pages, tmp_path):
    """Ids of characters would shift, and the run would read others than it has learned."""
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(reader, run)
    with_other_texts(pages, other, lambda text: text.replace("0", "O"))
    told = f"{run} was started with the characters 0123456789, and the labels now have 'O' and lack '0'"
    words = "finetune", "--resume", "--output", run, "--data", other, "--validation", other / "labels.csv"
    refused(*words, told=told)


def test_resuming_with_other_labels_of_the_same_characters_is_refused(refused, reader, pages, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(reader, run)
    rows = with_other_texts(pages, other, lambda text: text[::-1])
    file, text, _ = next(row for row in rows if row[1] != row[1][::-1])
    words = "finetune", "--resume", "--output", run, "--data", other, "--validation", other / "labels.csv"
    refused(*words, told=f"{file}, now labelled '{text}'")


def test_a_best_checkpoint_without_steps_is_not_replaced(refused, reader, tmp_path):
    shutil.copytree(reader, tmp_path / "run")
    for file in (tmp_path / "run" / "checkpoints").glob("step-*.npz"):
        file.unlink()
    refused("finetune", "--resume", "--output", tmp_path / "run", told="would replace")


def test_a_full_disk_is_named_with_the_folder(reader, pages, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("seqclr.recognition.evaluate.write_table", full)
    plots = tmp_path / "plots"
    assert cli.main(["evaluate", "--model", str(reader), "--data", str(pages), "--plots", str(plots)]) == 1
    assert f"{plots} cannot be written (No space left on device)" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_goes_on_where_its_data_are_and_as_far_as_is_said(pretrained, pages, tmp_path, eagerly):
    run, moved = tmp_path / "run", tmp_path / "moved"
    shutil.copytree(pretrained, run)
    shutil.copytree(pages, moved)
    keys = ["--steps", "4", "learning_rate=0.0005", "processes=0"]
    assert cli.main(["pretrain", "--resume", "--output", str(run), "--data", str(moved), *keys]) == 0
    assert (run / "checkpoints" / "step-00000004.npz").is_file()


@pytest.mark.parametrize(
    "words, told",
    [
        (["--charset", "12x"], "charset '12x' has 'x', which the reader does not know: it knows 0123456789"),
        (["--charset", ""], "charset is empty"),
        (["--length", "4:40"], "length 40 needs 40 frames, of which width 64 gives 16: give at most 16"),
        (["--length", "4-6"], "length 4-6: give a number, a range 4:6 or a list 4,6"),
    ],
)
def test_texts_that_a_reader_cannot_predict_are_refused(refused, reader, pages, tmp_path, words, told):
    refused("predict", "--model", reader, pages, *words, told=told)
    refused("evaluate", "--model", reader, "--data", pages, "--plots", tmp_path / "plots", *words, told=told)
    refused("export", "--model", reader, "--output", tmp_path / "export", *words, told=told)


def test_predictions_of_known_length_are_those_of_python(reader, pages, capsys, eagerly):
    file = sorted((pages / "images").iterdir())[0]
    words = ["--charset", "13579", "--length", "6", "--beam", "3"]
    assert cli.main(["predict", "--model", str(reader), str(file), *words]) == 0
    _, text, confidence, decision = capsys.readouterr().out.split()
    [wanted] = seqclr.load(reader).predict([file], beam=3, charset="13579", length=6)
    assert len(text) == 6 and (text, float(confidence)) == (wanted.text, pytest.approx(wanted.confidence, abs=1e-4))
    assert decision == ("accept" if wanted.accept else "refuse")
    assert cli.main(["predict", "--model", str(reader), str(file), "--answer", "sum"]) == 0
    assert capsys.readouterr().out == f"{file}\t\t0.0000\trefuse\n"


def test_an_export_overwrites_nothing(refused, reader, tmp_path):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "used").mkdir()
    refused("export", "--model", reader, "--output", tmp_path / "used", told=f"{tmp_path / 'used'} exists already")
    refused("export", "--model", reader, "--output", tmp_path / "file" / "export", told="is a file")
    refused(
        "export", "--model", reader, "--output", tmp_path / "x\udcff", told="not UTF-8, which TensorFlow cannot open"
    )
    refused("export", "--model", reader, "--output", tmp_path / "x", "--format", "zip", told="--format")
    refused("export", "--model", reader, "--output", tmp_path / "x", "--int8", told="int8: a savedmodel has float32")
    refused(
        "export", "--model", reader, "--output", tmp_path / "x", "--encoder", "--int8", told="--int8 is for readers"
    )
    refused("export", "--model", reader, "--output", tmp_path / "x", "--data", tmp_path / "none", told="does not exist")


# figures


def same(row, other):
    return row["source"] == other["source"]


def test_evaluate_writes_its_figures(reader, pages, tmp_path, capsys):
    other = tmp_path / "copy" / "pages"
    shutil.copytree(pages, other)
    table = (other / "labels.csv").read_text()
    (other / "labels.csv").write_text(table.replace(",train", ",").replace(",test", ","))
    words = ["--model", reader, "--data", pages, pages / "images", other, "--json", tmp_path / "figures.json"]
    assert cli.main([str(word) for word in ["evaluate", *words, "--plots", tmp_path / "plots"]]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    measures = {"samples", "edit_distance_accuracy", "exact_match", "exact_match_caseless", "cer", "one_minus_ned"}
    at = {f"{name}_at_{percent}" for name in ("exact_match", "confidence") for percent in (90, 80, 70)}
    measures |= {"calibration_error", *at}
    assert measures | {"images_per_second", "sources"} <= set(figures)
    assert (
        figures["samples"] == 28 and 0.3 < figures["edit_distance_accuracy"] <= 1 and figures["images_per_second"] > 0
    )
    assert list(figures["sources"]) == ["pages", "pages#2"]
    assert all(measures <= set(source) for source in figures["sources"].values())
    samples = [source["samples"] for source in figures["sources"].values()]
    assert samples == [4, 24]  # the test rows, and all of those without a split
    with open(tmp_path / "plots" / "predictions.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 28 and (tmp_path / "plots" / "reliability.png").is_file()
    right = [row["text"] == row["prediction"] for row in rows]
    wanted = metrics.calibration(right, [float(row["confidence"]) for row in rows])["calibration_error"]
    assert 0 < figures["calibration_error"] == pytest.approx(wanted, abs=0.02)
    told, err = capsys.readouterr()
    accepted = [row["decision"] == "accept" for row in rows]
    pairs = [
        right[i] if accepted[i] else np.mean([right[j] for j, other in enumerate(rows) if j != i and same(other, row)])
        for i, row in enumerate(rows)
    ]
    assert figures["exact_match_one_retry"] == pytest.approx(np.mean(pairs))
    assert figures["refused"] == pytest.approx(1 - np.mean(accepted))
    first = figures["sources"]["pages"]
    assert (first["exact_match_one_retry"], first["refused"]) == pytest.approx(
        (np.mean(pairs[:4]), 1 - np.mean(accepted[:4]))
    )
    least = json.loads((reader / "decision.json").read_text())["threshold"]
    assert figures["threshold"] == least and (tmp_path / "plots" / "refusals.png").is_file()
    share = f"{100 * figures['refused']:.1f} % refused (threshold {least:.4f})"
    assert f"one retry: exact match {figures['exact_match_one_retry']:.4f}, {share}" in told
    assert "pages#2" in told
    assert f"confidence: calibration error {figures['calibration_error']:.4f} (15 bins)" in told
    assert f"{figures['exact_match_at_90']:.4f} at 90 % coverage (threshold {figures['confidence_at_90']:.4f})" in told
    assert "evaluated on 4 of split test and 24 of no split, of 20 of split train and " in err


def test_evaluate_says_which_rows_the_run_was_trained_on(reader, pages, tmp_path, capsys):
    words = ["evaluate", "--model", reader, "--data", pages, "--json", tmp_path / "figures.json"]
    seen = {}
    for split in (None, "Train"):
        assert cli.main([str(word) for word in words + (["--split", split] if split else [])]) == 0
        figures = json.loads((tmp_path / "figures.json").read_text())
        seen[split] = [figures[name] for name in ("samples", "trained_on", "validated_on")]
    assert seen == {None: [4, 0, 4], "Train": [20, 20, 0]}  # the fixture validates on its test rows
    told = capsys.readouterr().err
    assert f"20 of these 20 samples were trained on by {reader}: the figures are too high" in told
    assert f"4 of these 4 samples were validated on by {reader}" in told


def test_a_text_is_measured_in_full_by_a_reader_that_never_reads_some_characters(reader, pages, tmp_path):
    run, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(reader, run)
    charset = json.loads((run / "charset.json").read_text())
    (run / "charset.json").write_text(json.dumps({**charset, "unknown": "drop"}))
    data.mkdir()
    with open(pages / "labels.csv", newline="") as stream:
        rows = [f"{pages}/images/{row['file']},{row['text']}" for row in csv.DictReader(stream)]
    figures = {}
    for name, more in {"digits": "", "letters": "abcdefghij"}.items():
        (data / f"{name}.csv").write_text("\n".join(["file,text", *(row + more for row in rows), ""]))
        words = ["evaluate", "--model", run, "--data", data / f"{name}.csv", "--split", "test"]
        assert cli.main([str(word) for word in [*words, "--json", tmp_path / "figures.json"]]) == 0
        figures[name] = json.loads((tmp_path / "figures.json").read_text())
    assert figures["digits"]["edit_distance_accuracy"] > 0.1
    assert figures["letters"]["edit_distance_accuracy"] < figures["digits"]["edit_distance_accuracy"] / 2
    assert figures["letters"]["exact_match"] == 0


def test_probe_writes_its_figures_and_leaves_the_run_as_it_was(pretrained, pages, tmp_path, capsys):
    before, figures = files_of(pretrained), {}
    for name, options in {"cnn": ["--layer", "cnn", "--labels", 15], "untrained": ["--untrained"]}.items():
        words = ["probe", "--model", pretrained, "--data", pages, "--steps", 30, *options]
        assert cli.main([str(word) for word in [*words, "--json", tmp_path / "figures.json"]]) == 0
        figures[name] = json.loads((tmp_path / "figures.json").read_text())
        assert figures[name]["samples"] == 4 and figures[name]["sources"]["pages"]["samples"] == 4
        assert {"edit_distance_accuracy", "exact_match", "cer", "confusions"} <= set(figures[name])
    assert (figures["cnn"]["layer"], figures["cnn"]["labels"], figures["cnn"]["untrained"]) == ("cnn", 15, False)
    assert figures["untrained"]["layer"] == "transformer"
    assert (figures["untrained"]["labels"], figures["untrained"]["untrained"]) == (20, True)
    out, err = capsys.readouterr()
    assert "frozen cnn features, trained weights; 15 labels" in out and "random weights" in out
    assert err.count("encoder from") == 1  # that of the first
    assert files_of(pretrained) == before


def test_probe_takes_a_run_that_reads(reader, pages, capsys):
    assert cli.main(["probe", "--model", str(reader), "--data", str(pages), "--split", "train", "--steps", "1"]) == 0
    out, err = capsys.readouterr()
    assert "16 labels" in out and "best.npz" in err


@pytest.mark.parametrize(
    "rows, header, told",
    [
        (["good.png,12"], "file,text", "too few labels for a probe: 1 for training and 0 for evaluation"),
        (["good.png,12,test", "other.png,34,test"], "file,text,split", "0 for training and 2 for evaluation"),
        (["good.png,", "other.png,"], "file,text", "good.png has an empty text, as all others"),
        (["good.png,12345678901234567", "other.png,12345678901234567"], "file,text", "needs 17 frames but has 16"),
        (["good.png,12", "lost.png,3"], "file,text", "line 3 names lost.png"),
    ],
)
def test_a_table_that_cannot_be_probed_with(refused, pretrained, tmp_path, rows, header, told):
    folder = labelled(tmp_path / "data", rows, header)
    refused("probe", "--model", pretrained, "--data", folder, told=told)
    train = [*words("pretrain", folder / "good.png", tmp_path / "run", Path()), "--probe", folder]
    refused(*train, told="0 for training and 0 for evaluation" if "split" in header else told)


def test_probe_refuses_what_is_no_run_no_labels_or_no_number(refused, pretrained, pages, tmp_path):
    for model, told in ((tmp_path / "nothing", "there is no such folder"), (pages, "it has no config.yaml")):
        refused("probe", "--model", model, "--data", pages, told=f"{model} is not a run: {told}")
    shutil.copytree(pages / "images", tmp_path / "bare")
    refused("probe", "--model", pretrained, "--data", tmp_path / "bare", told="has no text")
    for option, told in (("--labels", "labels 0: at least 1"), ("--steps", "steps 0: at least 1")):
        refused("probe", "--model", pretrained, "--data", pages, option, 0, told=told)
    refused("probe", "--model", pretrained, "--data", pages, "--kind", "svm", told="--kind")
    refused("probe", "--model", pretrained, "--data", pages, "--k", 5, told="k is no option of kind ctc: it has steps")
    refused("probe", "--model", pretrained, "--data", pages, "--split", "dev", told="it has test, train")
    train = words("pretrain", pages, tmp_path / "run", Path())
    refused(*train, "--probe", tmp_path / "nowhere", told=f"{tmp_path / 'nowhere'} does not exist")
    refused(*train, "--probe", pages, "--probe-every", 0, told="probe_every 0: at least 1")


def test_pretraining_with_a_probe_keeps_the_best_for_finetuning(pages, tmp_path, monkeypatch, capsys, eagerly):
    monkeypatch.setattr("seqclr.probes.ctc.CTCProbe.steps", 20)
    run, tuned = tmp_path / "run", tmp_path / "tuned"
    train = [*words("pretrain", pages, run, Path()), "--probe", pages, "--json", tmp_path / "figures.json"]
    assert cli.main(list(map(str, train))) == 0
    assert re.search(r"best probe \(ctc\): edit_distance_accuracy [01]\.\d{4} at step 1\n", capsys.readouterr().err)
    with open(run / "metrics.csv", newline="") as stream:
        row = next(csv.DictReader(stream))
    told = json.loads((tmp_path / "figures.json").read_text())
    for name in ("probe_edit_distance_accuracy", "probe_exact_match"):
        assert 0 <= float(row[name]) <= 1
    assert told["best_probe_edit_distance_accuracy"] == float(row["probe_edit_distance_accuracy"])
    assert cli.main(list(map(str, [*words("finetune", pages, tuned, Path()), "--pretrained", run]))) == 0
    assert f"encoder from {run / 'checkpoints' / 'best.npz'}" in capsys.readouterr().err


def test_predict_reads_the_good_ones_and_names_the_bad_one(reader, pages, tmp_path, capsys):
    good, bad = sorted((pages / "images").iterdir())[:3], tmp_path / "bad.png"
    bad.write_bytes(BAD["truncated"])
    images = [str(path) for path in [good[0], bad, *good[1:]]]
    capsys.readouterr()
    assert cli.main(["predict", "--model", str(reader), "--json", str(tmp_path / "read.json"), *images]) == 2
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == list(map(str, good))
    assert all(text and 0 <= float(confidence) <= 1 for _, text, confidence, _ in rows)
    assert {row[3] for row in rows} <= {"accept", "refuse"}
    assert err.startswith(f"seqclr predict: {bad} is damaged") and err.count("\n") == 1
    report = json.loads((tmp_path / "read.json").read_text())
    assert [[row["file"], row["text"]] for row in report["predictions"]] == [row[:2] for row in rows]
    assert len(report["unread"]) == 1


def test_a_name_is_one_field_of_one_line(reader, pages, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    name = "a\tb\nc\x1b[2J.png"
    for copy in (name, "d.png"):
        shutil.copy(next((pages / "images").iterdir()), tmp_path / "data" / copy)
    shown = "a\\tb\\nc\\x1b[2J.png"
    assert cli.main(["predict", "--model", str(reader), str(tmp_path / "data" / name)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split("\t")[0] == str(tmp_path / "data" / shown)
    assert cli.main(["check", str(tmp_path / "data")]) == 0
    assert any(
        line.endswith(f"{shown}, {tmp_path / 'data' / 'd.png'}") for line in capsys.readouterr().out.splitlines()
    )


def test_a_name_that_cannot_be_printed_ends_nothing(reader, pages, tmp_path, monkeypatch, eagerly):
    folder = tmp_path / "data"
    folder.mkdir()
    name = "日本_\udcff.png"  # as Python has a name with the byte FF, which is not UTF-8
    shutil.copy(next((pages / "images").iterdir()), folder / name)
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", out)
    report = tmp_path / "report.json"
    assert cli.main(["predict", "--model", str(reader), "--json", str(report), str(folder)]) == 0
    assert json.loads(report.read_text(encoding="utf-8"))["predictions"][0]["file"] == str(folder / name)
    words = ["--label-pattern", "{text}_{any}.png", "--plots", str(tmp_path / "plots"), "--json", str(report)]
    assert cli.main(["evaluate", "--model", str(reader), "--data", str(folder), *words]) == 0
    assert any(row["true"] == "日" for row in json.loads(report.read_text(encoding="utf-8"))["confusions"])
    out.seek(0)
    told = out.read()
    assert told.count("\\u65e5\\u672c_\\udcff.png") == 1 and "\\u65e5 as " in told
    assert "日本_\\udcff" in (tmp_path / "plots" / "predictions.csv").read_text(encoding="utf-8")


# what a training ends with


@pytest.mark.parametrize(
    "words, expected",
    [([], False), (["--deterministic"], True), (["deterministic=true"], True), (["--no-deterministic"], False)],
)
def test_a_key_of_yes_or_no_is_a_flag(monkeypatch, words, expected):
    seen = []
    monkeypatch.setattr("seqclr.pretraining.pretrain.pretrain", lambda config, *_: seen.append(config) or {})
    assert cli.main(["pretrain", "--data", "pages", "--output", "run", *words, "height=16"]) == 0
    assert seen[0].deterministic is expected and seen[0].height == 16


def test_loss_is_short_for_loss_name(monkeypatch):
    seen = []
    monkeypatch.setattr("seqclr.pretraining.pretrain.pretrain", lambda config, *_: seen.append(config) or {})
    assert cli.main(["pretrain", "--data", "pages", "--output", "run", "--loss", "triplet"]) == 0
    assert [config.loss_name for config in seen] == ["triplet"]
    assert cli.main(["pretrain", "--data", "pages", "--output", "run", "--loss", "triple"]) == 2 and len(seen) == 1


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_machine_that_is_taken_away_is_no_failure(monkeypatch, capsys, number, status):
    def stopped(*_):
        raise Interrupted("stopped at step 3 of 6 and saved", number)

    monkeypatch.setattr("seqclr.pretraining.pretrain.pretrain", stopped)
    assert cli.main(["pretrain", "--data", "pages", "--output", "run"]) == status
    assert capsys.readouterr() == (
        "",
        "stopped at step 3 of 6 and saved; to continue, run the same command with --resume\n",
    )


@pytest.mark.parametrize("number, status, said", [(2, 130, "interrupted"), (15, 143, "stopped by SIGTERM")])
def test_a_verb_that_is_stopped_clears_up_and_says_so(monkeypatch, capsys, tmp_path, number, status, said):
    def verb(*_):
        with files.atomic_folder(tmp_path / "new"):
            os.kill(os.getpid(), number)
            time.sleep(10)

    monkeypatch.setitem(cli.VERBS, "pack", verb)
    assert cli.main(["pack"]) == status
    assert capsys.readouterr().err == f"seqclr pack: {said}\n" and not list(tmp_path.iterdir())


# the program


def test_too_little_memory_is_a_sentence(monkeypatch, capsys):
    def full(parser, argv):
        raise MemoryError

    monkeypatch.setitem(cli.VERBS, "check", full)
    assert cli.main(["check"]) == 1
    assert capsys.readouterr().err.startswith("seqclr check: not enough memory")


def test_no_verb_an_unknown_verb_and_the_version(capsys):
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb} " in shown for verb in cli.VERBS)
    assert cli.main(["--version"]) == 0 and re.fullmatch(r"\d+\.\d+\S*\n", capsys.readouterr().out)
    assert cli.main(["train"]) == 2 and "unknown verb 'train'" in capsys.readouterr().err


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_is_a_tool_with_the_same_help(verb, monkeypatch, capsys):
    helps = []
    for argv, call in (
        (["seqclr", verb, "--help"], lambda: cli.main()),
        ([str(TOOLS[verb]), "--help"], lambda: runpy.run_path(str(TOOLS[verb]), run_name="__main__")),
    ):
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            call()
        assert not ended.value.code
        helps.append(capsys.readouterr().out)
    text = " ".join(helps[0].split())
    assert helps[0] == helps[1] and f"seqclr {verb}" in text and cli.VERBS[verb].__doc__ in text


@pytest.mark.parametrize(
    "words, told",
    [
        (["seqclr", "predict", "--model", "nowhere", "page.png"], "nowhere is not a run"),
        (["seqclr", "pretrain", "--data", "nowhere", "--output", "run"], "nowhere does not exist"),
    ],
)
def test_a_process_of_its_own_says_one_sentence_too(tmp_path, words, told):
    done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and told in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_task_is_drawn_row_by_row(tmp_path, pages, refused):
    sheet = tmp_path / "task.png"
    words = ["show-task", "--data", pages, "--output", sheet, "--images", "3", "height=16", "width=64"]
    assert cli.main([*map(str, words), "--method", "jigsaw"]) == 0
    with Image.open(sheet) as drawn:
        assert drawn.height > 3 * 16 * 2 and drawn.width > 4 * 16 * 2  # four slices, at twice their size
    refused(*words, "--method", "jigsaw", told="task.png exists already: choose another --output")
    sheet.unlink()
    refused(*words, "--method", "colorization", told="colour carries no meaning in lines of text")
    refused(*words, "--method", "jigsaw", "permutation=3", told="did you mean permutations?")
