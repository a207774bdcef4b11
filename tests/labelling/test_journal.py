"""What is recorded is on the disk, whatever happens to the process or to the CSV file."""

import csv
import json
import os

import pytest

from seqclr.data import discovery
from seqclr.data.labels import COLUMNS, Label, now
from seqclr.errors import UserError
from seqclr.files import NotWritten
from seqclr.labelling.journal import Journal
from tests.labelling.pictures import draw


@pytest.fixture
def path(tmp_path):
    draw(tmp_path, 4)
    return tmp_path / "labels.csv"


def label(number, text="ab", source="accepted"):
    return Label(f"{number}.png", text, "train", source, now())


def crash(opened):
    """Ends the use of a journal as a killed process does: its lock is free, nothing more is written."""
    if opened._stream is not None:
        opened._stream.close()
    opened._held.close()


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return [tuple(row.values())[:2] for row in csv.DictReader(stream)]


def test_labels_survive_a_kill_and_a_line_that_was_cut_off(path):
    opened = Journal(path)
    opened.record([label(0), label(1, "cd")])
    opened.record([label(0, "ef", "corrected"), label(2, None, "unreadable")])
    crash(opened)
    assert not path.exists()
    with open(opened.file, "ab") as stream:
        stream.write(b'{"file": "3.png", "te')
    again = Journal(path)
    assert {file: each.text for file, each in again.labels.items()} == {"0.png": "ef", "1.png": "cd", "2.png": None}
    again.record([label(3, "gh")])
    again.close()
    assert rows(path) == [("0.png", "ef"), ("1.png", "cd"), ("3.png", "gh")]
    assert [sample.text for sample in discovery.find([path])] == ["ef", "cd", "gh"]  # other verbs read it
    assert Journal(path).labels["2.png"].source == "unreadable"


def test_rows_that_were_edited_by_hand_stay_and_those_removed_are_gone(path):
    opened = Journal(path)
    opened.record([label(0), label(1)])
    opened.record([label(1, None, "removed"), label(2)])
    opened.write()
    opened.record([label(2, None, "unreadable")])
    opened.close()
    path.write_text("file,text\n0.png,by hand\n3.png,new\n")
    again = Journal(path)
    assert {file: each.text for file, each in again.labels.items() if each.text} == {"0.png": "by hand", "3.png": "new"}
    assert [each.source for each in again.labels.values() if not each.text] == ["removed", "unreadable"]
    again.close()
    assert path.read_text() == "file,text\n0.png,by hand\n3.png,new\n"  # nothing was labelled
    crash(opened := Journal(path))
    opened = Journal(path)
    opened.record([label(1, "z")])
    opened.close()
    assert rows(path) == [("0.png", "by hand"), ("3.png", "new"), ("1.png", "z")]


def test_a_label_that_could_not_be_written_is_not_recorded(path, monkeypatch):
    opened = Journal(path)
    opened.record([label(0)])
    size = opened.file.stat().st_size

    def full(number):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        with pytest.raises(NotWritten, match="labels.csv.journal cannot be written"):
            opened.record([label(1)])
    assert opened.file.stat().st_size == size and list(opened.labels) == ["0.png"]
    opened.record([label(2)])
    opened.close()
    assert rows(path) == [("0.png", "ab"), ("2.png", "ab")]


def test_a_second_process_is_refused(path):
    opened = Journal(path)
    with pytest.raises(UserError, match="labels.csv is being written by another process"):
        Journal(path)
    opened.close()
    Journal(path).close()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.csv", "file,text,angle\n0.png,a,3\n", "the column 'angle', which would be lost"),
        ("labels.csv", "file,text\nnone.png,a\n", "line 2 names none.png"),
        ("labels.csv", "file\n0.png\n", "has no column 'text'"),
        ("labels.csv", '"file"x,text\n0.png,a\n', "labels.csv, line 1 is not a table row"),
        ("labels.csv.journal", '{"file": "0.png", "text": 3}\n', "labels.csv.journal, line 1 is damaged"),
        ("labels.csv.journal", "[]\n", "labels.csv.journal, line 1 is damaged"),
    ],
)
def test_files_that_cannot_be_continued_are_refused(path, name, content, message):
    path.with_name(name).write_text(content)
    with pytest.raises(UserError, match=message):
        Journal(path)
    assert path.with_name(name).read_text() == content


@pytest.mark.parametrize("name", ["labels.txt", "none/labels.csv", "folder.csv"])
def test_paths_that_cannot_be_written_are_refused(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match=name):
        Journal(tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.csv"]


def test_nothing_is_written_before_the_first_label(path):
    Journal(path).close()
    assert not path.exists() and not path.with_name("labels.csv.journal").exists()


def test_the_journal_is_lines_of_json(path):
    opened = Journal(path)
    opened.record([label(0, "é")])
    opened.close()
    first, second = map(json.loads, opened.file.read_text().splitlines())
    assert set(first) == set(COLUMNS) and first["text"] == "é" and second == {"written": True}
