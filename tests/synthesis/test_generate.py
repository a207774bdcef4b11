"""Writing a folder of generated images: a failure names the file and leaves no labels.csv."""

import errno

import pytest

from seqclr import cli, files
from seqclr.errors import UserError
from seqclr.synthesis import generate


@pytest.mark.parametrize(
    "fails_at, named", [(0, "images/000000.png"), (2, "images/000002.png"), (5, "unlabelled/000001.png")]
)
def test_a_full_disk_ends_with_a_sentence_that_names_the_file(tmp_path, monkeypatch, capsys, fails_at, named):
    saved, save = [], generate.save

    def full(style, image, path):
        if len(saved) == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved.append(path)
        save(style, image, path)

    monkeypatch.setattr(generate, "save", full)
    words = ["synth", "--output", str(tmp_path / "new"), "--count", "4", "--unlabelled", "2", "--style", "digits"]
    assert cli.main(words) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told == f"seqclr synth: {tmp_path / 'new' / named} cannot be written (No space left on device)"
    assert (tmp_path / "new" / "labels.csv").exists() == (fails_at > 3)


def test_a_table_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "_open_new", lambda file: open("/dev/full", "w"))
    with pytest.raises(files.NotWritten, match="labels.csv cannot be written .No space left on device"):
        generate.generate(tmp_path / "new", 2, "digits", progress=False)


def test_an_output_that_cannot_be_made_is_refused_before_anything_is_drawn(tmp_path):
    (tmp_path / "file").touch()
    for name, message in (
        ("a" * 300, "too long"),
        ("x/" + "a" * 252, "too long"),
        ("file", "is a file"),
        ("file/x", "is a file"),
    ):
        with pytest.raises(UserError, match=message):
            generate.generate(tmp_path / name, 1, "digits", progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
