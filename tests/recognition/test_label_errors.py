"""`check --model`: wrong labels come first, and no image is judged by a reader that has seen its label."""

import csv
import dataclasses
import functools
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from seqclr import cli
from seqclr.data import dataset as datasets
from seqclr.data.charset import Charset
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find, survey
from seqclr.data.hashes import content_digest
from seqclr.data.samples import Sample
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.recognition import estimates, label_errors
from seqclr.recognition.digests import known_labels, save_known_labels
from seqclr.recognition.evaluate import count_uses
from seqclr.recognition.label_errors import find_label_errors, judgeable, split_into_folds, unseeing_start
from tests.small_runs import run


@pytest.fixture(scope="module")
def spoilt(pages, tmp_path_factory):
    """The pages, with three wrong labels, and one that no reader of digits can spell."""
    folder = tmp_path_factory.mktemp("spoilt") / "pages"
    shutil.copytree(pages, folder)
    with open(folder / "labels.csv", newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream)
    rows[3][1] = str(9 - int(rows[3][1][0])) + rows[3][1][1:]
    rows[8][1] = rows[8][1][:-1] + str((int(rows[8][1][-1]) + 5) % 10)
    rows[15][1], rows[5][1] = rows[5][1], rows[15][1]
    rows[20][1] = "東京"
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([head, *rows])
    return folder, {rows[row][0] for row in (3, 8, 15, 5)}


def test_wrong_labels_come_first(spoilt, tmp_path, eagerly, capsys):
    folder, wrong = spoilt
    run("check", folder, "--model", "captcha", "--output", tmp_path / "errors")
    with open(tmp_path / "errors" / "label_errors.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["file"].rpartition("/")[2] for row in rows[:4]} == {name.rpartition("/")[2] for name in wrong}
    ratios = [float(row["log_ratio"]) for row in rows]
    assert ratios == sorted(ratios, reverse=True) and ratios[3] > 3
    assert (tmp_path / "errors" / "label_errors.png").is_file()
    assert sorted(path.name for path in (tmp_path / "errors").iterdir()) == ["label_errors.csv", "label_errors.png"]
    told = capsys.readouterr()
    assert "does not know are not judged: 京東" in told.err
    assert "note: " in told.out and "labels that the reader surely contradicts" in told.out
    assert cli.main(["check", str(folder), "--model", "captcha", "--output", str(tmp_path / "errors")]) == 2


def test_a_run_knows_the_labels_that_it_has_seen(reader, pages):
    assert known_labels("captcha") == set()
    digests = {content_digest(sample) for sample in find([pages], "train")}
    assert known_labels(reader) >= digests
    assert unseeing_start(reader, digests) is None  # it was trained from scratch
    assert unseeing_start(reader, {1}) == str(reader)
    assert unseeing_start("captcha", digests) == "captcha"


def test_no_image_is_judged_by_a_reader_that_has_seen_its_label(reader, pages, tmp_path, monkeypatch):
    trained, judged = [], []

    def train_fold(model, start, samples, folder, steps):
        assert (str(model), start, steps) == (str(reader), None, 7)
        trained.append({content_digest(sample) for sample in samples})
        return reader

    def judge(_, dataset, rows):
        judged.append({content_digest(dataset.samples[row]) for row in rows})
        return []

    monkeypatch.setattr(label_errors, "train_fold", train_fold)
    monkeypatch.setattr(label_errors, "judge", judge)
    monkeypatch.setattr(label_errors.Recognizer, "load", functools.cache(label_errors.Recognizer.load))
    find_label_errors(reader, [str(pages)], tmp_path / "errors", folds=3, steps=7)
    own, *folds = judged
    assert not own & known_labels(reader) and len(folds) == len(trained) == 3
    assert all(inside and outside and not inside & outside for inside, outside in zip(folds, trained))
    everything = {content_digest(sample) for sample in survey([pages])[0]}
    assert own.union(*folds) == everything


def test_a_start_that_is_gone_or_has_used_labels_is_not_known(reader, pretrained, pages, tmp_path):

    def pretrained_run(name, **values):
        shutil.copytree(pretrained, tmp_path / name)
        text = (pretrained / "config.yaml").read_text().splitlines()
        kept = [line for line in text if line.partition(":")[0] not in values]
        added = [f"{key}: {value}" for key, value in values.items()]
        (tmp_path / name / "config.yaml").write_text("\n".join([*kept, *added]) + "\n")
        return tmp_path / name

    gone = pretrained_run("gone", init=tmp_path / "nowhere")
    assert known_labels(pretrained) == set() and known_labels(gone) is None
    for number, method in enumerate(("clip", "classifier", "clip+simclr", "not_registered")):
        assert known_labels(pretrained_run(f"labelled_{number}", method=method)) is None
    probed = pretrained_run("probed", probe=pages)  # its labels chose the checkpoint, and are in no weight
    assert known_labels(probed) == set()
    assert count_uses(probed, find([pages])) == {"trained_on": 0, "validated_on": 20, "used_before": 0}
    save_known_labels(Run(tmp_path), [], [str(pretrained), str(gone)])
    assert not Run(tmp_path).known_labels_file.exists()
    assert unseeing_start(gone, {1}) is None
    from_reader = pretrained_run("from_reader", init=reader)
    assert known_labels(from_reader) == known_labels(reader)
    seen = {next(iter(known_labels(reader)))}
    assert unseeing_start(pretrained_run("clip", method="clip", init=pretrained), seen) == str(pretrained)
    assert unseeing_start(from_reader, seen) is None  # the reader has seen it, and was trained from scratch


def test_folds_without_rows_are_left_out_and_too_few_labels_refused():
    assert split_into_folds({3: 0, 5: 2, 6: 2, 9: 0}, 4) == {0: ([3, 9], [5, 6]), 2: ([5, 6], [3, 9])}
    assert split_into_folds({}, 2) == {}
    for parts in ({1: 0}, {1: 0, 2: 0, 3: 0}, {1: 0, 2: 0, 3: 1}):
        with pytest.raises(UserError, match=f"the {len(parts)} label.s. .* too few for 2 folds"):
            split_into_folds(parts, 2)


def test_damaged_images_are_not_judged_by_the_pixels_of_others(pages, tmp_path, monkeypatch):
    """As where the pixels do not fit into the cache: the damage shows only when an image is decoded."""
    monkeypatch.setattr(datasets, "CACHE_BYTES", 0)
    samples = find([pages], "train")[:3]
    (cut := tmp_path / "cut.png").write_bytes(Path(samples[1].file).read_bytes()[:-200])
    samples[1] = dataclasses.replace(samples[1], file=str(cut))
    dataset = ImageDataset(samples, 32, 128, "stretch", skip_bad=True)
    with pytest.warns(UserWarning, match="skipped: .*cut.png"):
        assert judgeable(SimpleNamespace(charset=Charset("0123456789")), dataset) == [0, 2]
        assert estimates.some_of(dataset, range(3)) == [0, 2]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--output", "new"], "--output is for --model"),
        (["--model", "captcha"], "--model needs --output"),
        (["--model", "nowhere", "--output", "new"], "nowhere is not a run"),
        (["--model", "captcha", "--output", "new", "--resume"], "leave --resume out"),
    ],
)
def test_what_is_refused(pages, words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", str(pages), *words]) == 2
    assert told in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_names_that_are_not_utf8_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(label_errors, "draw_sheet", lambda rows, file: None)
    found = label_errors.Judged(Sample("site", "a\udcff.png", "12"), "13", 0.9, 1.0, True)
    label_errors.write([found], tmp_path)
    assert "\na\\udcff.png,12,13," in (tmp_path / "label_errors.csv").read_text(encoding="utf-8").replace("\r", "")
    assert found.message().startswith("a\\udcff.png has")


def test_the_clean_list_is_written_last(pages, tmp_path, monkeypatch):
    def refuse(*_):
        raise UserError("no label can be judged")

    words = ["--model", "captcha", "--output", str(tmp_path / "errors"), "--fix", str(tmp_path / "clean.csv")]
    monkeypatch.setattr(label_errors, "find_label_errors", refuse)
    assert cli.main(["check", str(pages), *words]) == 2 and not (tmp_path / "clean.csv").exists()
    monkeypatch.setattr(label_errors, "find_label_errors", lambda *_: [])
    assert cli.main(["check", str(pages), *words]) == 0 and (tmp_path / "clean.csv").exists()


@pytest.mark.slow
def test_folds_are_trained_and_continued(reader, pages, tmp_path, eagerly):
    for words in ([], ["--resume"]):
        run("check", pages, "--model", reader, "--output", tmp_path / "errors", "--steps", 2, *words)
    assert (tmp_path / "errors" / "fold_2" / "run" / "config.yaml").is_file()
    assert (tmp_path / "errors" / "label_errors.csv").is_file()
