"""Folders that appear whole, made by one process at a time."""

import os

import pytest

from seqclr import files
from seqclr.errors import UserError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_when_it_is_whole(tmp_path):
    (tmp_path / ".new.partial").mkdir()  # of one that was killed
    (tmp_path / ".new.partial" / "old.txt").touch()
    (tmp_path / ".new.lock").touch()
    with files.atomic_folder(tmp_path / "new") as beside:
        (beside / "a.txt").write_text("a")
        assert not (tmp_path / "new").exists()
    assert names(tmp_path) == ["new"] and names(tmp_path / "new") == ["a.txt"]


def test_what_others_keep_beside_is_left_alone(tmp_path):
    for name in ("poetry.lock", "figures.partial"):
        (tmp_path / name).write_text("kept")
    (tmp_path / "poetry.partial").mkdir()
    with files.atomic_folder(tmp_path / "poetry"):
        pass
    with files.atomic_write(tmp_path / "figures.json") as stream, files.atomic_write(tmp_path / "figures.csv") as other:
        stream.write("{}")
        other.write("a,b")
    assert names(tmp_path) == [
        "figures.csv",
        "figures.json",
        "figures.partial",
        "poetry",
        "poetry.lock",
        "poetry.partial",
    ]
    assert (tmp_path / "poetry.lock").read_text() == (tmp_path / "figures.partial").read_text() == "kept"
    assert (tmp_path / "figures.json").read_text() == "{}" and (tmp_path / "figures.csv").read_text() == "a,b"


def test_the_second_of_two_is_refused_and_harms_nothing(tmp_path):
    with files.atomic_folder(tmp_path / "new") as beside:
        (beside / "a.txt").write_text("a")
        with (
            pytest.raises(UserError, match="new is being written by another process"),
            files.atomic_folder(tmp_path / "new"),
        ):
            pass
    with pytest.raises(UserError, match="new exists already"), files.atomic_folder(tmp_path / "new"):
        pass
    assert names(tmp_path) == ["new"] and names(tmp_path / "new") == ["a.txt"]


def test_nothing_is_left_of_one_that_failed(tmp_path):
    with pytest.raises(ZeroDivisionError), files.atomic_folder(tmp_path / "deep" / "new") as beside:
        (beside / "a.txt").write_text("a")
        raise ZeroDivisionError
    assert names(tmp_path / "deep") == []


def test_a_lock_file_that_was_removed_meanwhile_is_not_held(tmp_path, monkeypatch):
    """Opened before the holder removes it, locked after: another may hold a file of that name by now."""
    file, opened = tmp_path / "x.lock", []

    def removes(path, mode):
        stream = open(path, mode)
        if not opened:
            os.unlink(path)
        opened.append(stream)
        return stream

    monkeypatch.setattr(files, "open", removes, raising=False)
    lock = files.Lock(file, tmp_path)
    assert len(opened) == 2 and opened[0].closed and file.exists()
    lock.close()
    assert not file.exists()


@pytest.mark.parametrize("name", ["a" * 300, "a" * 250, "new/" + "a" * 250, "deep/" * 1000])
def test_a_name_too_long_for_what_is_written_beside_is_refused(tmp_path, name):
    for check in (files.check_can_make, files.check_new):
        with pytest.raises(UserError, match="File name too long"):
            check(tmp_path / name)
    assert names(tmp_path) == []


@pytest.mark.parametrize("path", ["a\0b", "x" * 300])
def test_a_path_that_cannot_be_is_reported(tmp_path, path):
    with pytest.raises(UserError, match="is not a valid path|File name too long"):
        files.exists(tmp_path / path)


def test_a_full_disk_is_reported_with_the_file(tmp_path):
    with pytest.raises(files.NotWritten, match="a.txt cannot be written .No space left"), files.writing("a.txt"):
        with open("/dev/full", "w") as stream:
            stream.write("x")
