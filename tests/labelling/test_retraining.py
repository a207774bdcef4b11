"""Readers that are trained beside the page, by commands that a script plays."""

import csv
import json
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from seqclr.data.charset import Charset
from seqclr.data.discovery import survey
from seqclr.data.images import read
from seqclr.data.knowledge import Known
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.export.reader import load_reader
from seqclr.labelling import certainty, retraining, strategies
from seqclr.labelling.retraining import Retraining, read_labels
from seqclr.recognition.splits import split_off_labelled
from tests.data.test_discovery import store
from tests.labelling.pictures import draw
from tests.small_runs import SMALL, run

PLAYED = """
import os, sys, time
from pathlib import Path
words = sys.argv[1:]
after = lambda word: Path(words[words.index(word) + 1])
out = after("--output")
with open(out.parent / "commands.txt", "a") as stream:
    stream.write(" ".join(words) + "\\n")
print("step 3", file=sys.stderr)
refuses = (out.parent / "refuses").exists() and "--resume" in words
if refuses or (out.parent / "fails").exists():
    print("seqclr adapt: the labels are wrong", file=sys.stderr)
    sys.exit(2)
if words[0] == "adapt":
    out.mkdir(exist_ok=True)
    (out / "config.yaml").write_text("steps: 9\\n")
    (out / "metrics.csv").write_text("step,loss\\n3,0.5\\n")
    while (out.parent / "waits").exists():
        time.sleep(0.02)
    (out / "priority").write_text(str(os.nice(0)))
    after("--json").write_text("{}")
else:
    out.mkdir()
"""


class Says12:
    """A reader that predicts 12 everywhere."""

    charset = Charset("0123456789x", case="lower")

    def predict_samples(self, samples):
        return [("12", 0.9) for sample in samples if sample.read_bytes()]


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """Eight images; the commands of a round are played by a script."""
    (tmp_path / "site").mkdir()
    draw(tmp_path / "site", 8)
    monkeypatch.setattr(retraining, "load_reader", lambda folder: Says12())
    (tmp_path / "played.py").write_text(PLAYED)
    monkeypatch.setattr(retraining, "PROGRAM", (sys.executable, str(tmp_path / "played.py")))
    label(tmp_path, {0: "12", 1: "34"})
    return tmp_path


def label(site: Path, texts: dict[int, str], test: dict[int, str] | None = None) -> None:
    parts = (("train", texts), ("test", test or {}))
    with open(site / "labels.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "text", "split", "source", "time"])
        for split, rows in parts:
            writer.writerows([f"site/{number}.png", text, split, "typed", ""] for number, text in rows.items())


def opened(site: Path, **more) -> Retraining:
    images = [Sample("site", str(site / "site" / f"{number}.png")) for number in range(8)]
    test = images[6:]
    return Retraining(images, site / "labels.csv", "captcha", site / "work", test, (2, 4), **more)


def until(condition, seconds: float = 20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def commands(site: Path) -> list[list[str]]:
    file = site / "work" / "commands.txt"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def test_a_round_trains_exports_and_is_measured(site):
    beside = opened(site, keys={"length": "2"})
    beside.offer(1)
    assert beside.state() == {"running": None, "failed": None, "rounds": []} and beside.latest is None
    (site / "work" / "waits").touch()
    beside.offer(2)
    until(lambda: (beside.state()["running"] or {}).get("step"))
    assert beside.state()["running"] == {"labels": 2, "step": 3, "steps": 9}
    label(site, {0: "12", 1: "34", 2: "56", 3: "78"})
    beside.offer(4)  # while another one runs
    (site / "work" / "waits").unlink()
    until(lambda: beside.latest)
    assert (site / "work" / ".round-0002" / "priority").read_text() == str(retraining.NICE)
    adapt, export = commands(site)
    table = site / "work" / "round-0002.csv"
    assert adapt[:6] == ["adapt", "--model", "captcha", "--data", str(table), "--output"]
    assert "length=2" in adapt and "--resume" not in adapt and export[-2:] == ["--format", "onnx"]
    rows = {Path(sample.file).name: (sample.text, sample.split) for sample in read_labels(table)}
    others = {f"{number}.png": ("", "test" if number > 5 else None) for number in range(2, 8)}
    assert rows == {"0.png": ("12", "train"), "1.png": ("34", "train"), **others}
    assert beside.state()["rounds"] == [{"labels": 2, "tested": 0, "accuracy": 0.0, "low": 0.0, "high": 1.0}]
    texts = {5: None, 6: "X2", 7: "12", 8: "12"}  # 5 was marked as wrong
    for number in (8, 9):
        shutil.copy(site / "site" / "7.png", site / "site" / f"{number}.png")
    (site / "site" / "9.png").write_bytes(b"no image")  # it is not measured on
    truths = [Sample("", str(site / "site" / f"{number}.png"), text) for number, text in (texts | {9: "12"}).items()]
    [measured] = beside.state(truths)["rounds"]
    assert (measured["tested"], measured["accuracy"]) == (4, 0.5) and measured["low"] < 0.2
    beside.offer(4)
    until(lambda: beside.latest == site / "work" / "round-0004")
    assert [each["labels"] for each in beside.state()["rounds"]] == [2, 4]  # those that they were trained on
    beside.close()


def test_labels_of_the_data_that_were_corrected_or_removed_do_not_count(site):
    """Of the folder's own table; one was marked as unreadable."""
    (site / "site" / "labels.csv").write_text("file,text,split\n0.png,99,train\n3.png,88,train\n4.png,44,\n")
    with open(site / "labels.csv", "a") as stream:
        stream.write("site/3.png,,train,unreadable,\nsite/4.png,44,,given,\n")
    beside = opened(site)
    beside.offer(2)
    until(lambda: beside.latest)
    adapt, _ = commands(site)
    config = SimpleNamespace(data=adapt[4:5], split=None, label_pattern=None, labels=None, seed=0)
    samples, labelled = split_off_labelled(config)
    assert {Path(each.file).name: each.text for each in labelled} == {"0.png": "12", "1.png": "34", "4.png": "44"}
    assert {Path(each.file).name for each in samples} == {f"{number}.png" for number in range(6)}
    assert [each["labels"] for each in beside.state()["rounds"]] == [3]
    beside.close()


def test_a_round_lists_the_images_of_a_store(site):
    """0 and 1 have labels in the LMDB, one of which was corrected; 2 is of the test part."""
    images = [(site / "site" / f"{number}.png").read_bytes() for number in range(3)]
    store(site / "lmdb", list(zip(images, (b"12", b"99", b"56"))))
    lines = [f"lmdb:image-00000000{number},{row}\n" for number, row in ((1, "12,,given,"), (2, "34,,corrected,"))]
    (site / "labels.csv").write_text("file,text,split,source,time\n" + "".join(lines))
    samples, _ = survey([site / "lmdb"])
    beside = Retraining(samples, site / "labels.csv", "captcha", site / "work", samples[2:], (2,))
    beside.offer(2)
    until(lambda: beside.latest)
    config = SimpleNamespace(data=commands(site)[0][4:5], split=None, label_pattern=None, labels=None, seed=0)
    found, labelled = split_off_labelled(config)
    assert found == labelled and [(each.text, each.read_bytes()) for each in found] == [
        ("12", images[0]), ("34", images[1])]  # fmt: skip
    truths = [Sample("", each.file, text, store=each.store) for each, text in zip(samples, ("12", None))]
    assert beside.state(truths)["rounds"][0]["accuracy"] == 0.5
    beside.close()


def test_a_round_that_fails_is_told_and_not_tried_for_ever(site):
    beside = opened(site)
    (site / "work" / "fails").touch()
    beside.offer(2)
    until(lambda: beside.state()["failed"])
    assert beside.state()["failed"] == "seqclr adapt: the labels are wrong"
    beside.offer(3)
    assert beside.state()["running"] is None and len(commands(site)) == 2  # one more try, as labels may have changed
    (site / "work" / "fails").unlink()
    beside.offer(4)
    until(lambda: beside.latest)
    assert beside.state()["failed"] is None
    beside.close()


def test_what_a_table_cannot_list_is_told(site):
    (site / "labels.csv").write_text("file,text\nnone.png,12\n")
    beside = opened(site)
    beside.offer(2)
    assert "names none.png, which is not in" in beside.state()["failed"] and not commands(site)
    beside.close()


def test_a_round_goes_on_after_the_page_was_closed(site):
    first = opened(site)
    (site / "work" / "waits").touch()
    first.offer(2)
    until(lambda: (site / "work" / ".round-0002" / "config.yaml").exists())
    with pytest.raises(UserError, match="being written by another process"):
        opened(site)
    first.close()
    first.offer(2)
    assert first.state()["running"] is None
    (site / "work" / "waits").unlink()
    second = opened(site)
    second.offer(2)
    until(lambda: second.latest)
    assert [words[0] for words in commands(site)] == ["adapt", "adapt", "export"] and "--resume" in commands(site)[1]
    second.close()
    third = opened(site)  # what is finished is known
    third.offer(2)
    assert third.latest and third.state()["running"] is None and len(commands(site)) == 3
    third.close()


def test_a_round_whose_labels_changed_while_it_was_stopped_starts_anew(site):
    first = opened(site)
    (site / "work" / "waits").touch()
    first.offer(2)
    until(lambda: (site / "work" / ".round-0002" / "config.yaml").exists())
    first.close()
    (site / "work" / "waits").unlink()
    (site / "work" / "refuses").touch()
    (site / "work" / ".round-0002" / "old").touch()
    label(site, {0: "12", 1: "34", 2: "56"})
    second = opened(site)
    second.offer(2)
    until(lambda: second.latest)
    assert ["--resume" in words for words in commands(site)] == [False, True, False, False]
    assert not (site / "work" / ".round-0002" / "old").exists()
    assert [each["labels"] for each in second.state()["rounds"]] == [3]
    second.close()


def test_a_run_that_is_still_being_written_is_waited_for(site):
    beside = opened(site)
    (site / "work" / ".round-0002").mkdir()
    held = retraining.Lock(site / "work" / ".round-0002" / ".lock", site / "work" / ".round-0002")
    beside.offer(2)
    assert beside.state()["running"] and not commands(site)
    held.close()
    until(lambda: beside.latest)
    beside.close()


@pytest.mark.slow
def test_a_real_round(tmp_path, pages):
    """`adapt` and `export` themselves, with two steps."""
    run("pretrain", "--method", "generated", "--data", pages, "--output", tmp_path / "start", "--steps", 2,
        *SMALL, "encoder=tiny", "characters=0123456789", "length=4:6")  # fmt: skip
    shutil.copytree(pages / "images", tmp_path / "images")
    with open(pages / "labels.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with open(tmp_path / "labels.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, ["file", "text", "split"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row for row in rows if row["split"] == "test" or row is rows[0] or row is rows[1])
    keys = {"charset": "0123456789", "length": "4:6", "steps": 2, "processes": 0, "distinct_images": 4}
    work = tmp_path / "work"
    images, labels = survey([tmp_path / "images"])[0], tmp_path / "labels.csv"
    beside = Retraining(images, labels, str(tmp_path / "start"), work, (), (2,), keys)
    beside.offer(2)
    until(lambda: beside.state()["running"] is None, 300)
    assert beside.state()["failed"] is None
    truths = [row for row in read_labels(tmp_path / "labels.csv") if row.split == "test"]
    [measured] = beside.state(truths)["rounds"]
    assert measured["labels"] == 2 and measured["tested"] == len(truths) == 4
    reader = load_reader(beside.latest).knowing(Known.of("0123456789", "4:6"))
    arrays = [read(path) for path in sorted((tmp_path / "images").iterdir())[:4]]
    found = list(certainty.predict(reader, arrays))
    assert [row.text for row in found] == [text for text, _ in reader.predict_images(arrays)]
    assert sorted(strategies.order("mixed", found)) == list(range(4))
    assert json.loads((work / "round-0002.json").read_text()) == {"labels": 2, "failed": None}
    beside.close()
