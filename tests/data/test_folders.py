"""Folders: which images are found, and which texts their names and neighbours give."""

import os

import pytest

from seqclr.data.discovery import find, find_images, find_unlabelled, survey
from seqclr.errors import UserError
from tests.data.test_discovery import draw, write


def names(samples) -> list[str]:
    return sorted(os.path.basename(sample.file) for sample in samples)


def test_links_to_folders_are_followed_once_and_not_in_circles(tmp_path):
    data = tmp_path / "data"
    draw(data / "a.png")
    draw(tmp_path / "elsewhere" / "b.png", 1)
    draw(tmp_path / "site" / "images" / "c.png", 2)
    draw(tmp_path / "site" / "images" / "d.png", 3)
    write(tmp_path / "site" / "labels.csv", "file,text,split\nc.png,c,train\nd.png,d,test\n")
    (tmp_path / "elsewhere" / "back").symlink_to(data)  # a circle
    (data / "self").symlink_to(data)
    (data / "up").symlink_to(tmp_path)  # all of it is above what was asked for
    for link in ("one", "two"):
        (data / link).symlink_to(tmp_path / "elsewhere")
    assert names(find_unlabelled([data])) == ["a.png", "b.png"]
    (data / "labelled").symlink_to(tmp_path / "site")
    (data / "loose").symlink_to(tmp_path / "site" / "images")
    assert names(find_unlabelled([data])) == ["a.png", "b.png", "c.png"]  # the test row of a linked source stays out
    assert names(find_images([data])[0]) == ["a.png", "b.png", "c.png", "d.png"]
    assert [sample.source for sample in survey([data])[0] if sample.text] == ["site"] * 2


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch, caplog):
    draw(tmp_path / "data" / "a.png")
    draw(tmp_path / "data" / "shut" / "b.png")
    scandir, shut = os.scandir, tmp_path / "data" / "shut"

    def refuse(path):
        if str(path) == str(shut):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert names(find_unlabelled([tmp_path / "data"])) == ["a.png"]
    assert f"skipped: {shut} cannot be read (Permission denied)" in caplog.text
    with pytest.raises(UserError, match="shut cannot be read .Permission denied.: check"):
        find_unlabelled([shut])


def test_an_empty_pattern_is_refused(tmp_path):
    draw(tmp_path / "a.png")
    write(tmp_path / "labels.csv", "file,text\na.png,one\n")
    for path in (tmp_path, tmp_path / "labels.csv"):
        for call in (find, survey):
            with pytest.raises(UserError, match="the pattern '' needs {text} once"):
                call([path], pattern="")
