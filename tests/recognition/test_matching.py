"""Choice among words: the same from the command line and Python, and what is refused."""

import json

import numpy as np
import pytest

import seqclr
from seqclr import cli
from seqclr.data import tables
from tests.probes import pictures
from tests.small_runs import SMALL, run, untraced


@pytest.fixture(scope="module")
def clip(pages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip") / "run"
    with untraced():
        words = ["--data", pages, "--output", folder, "--steps", 2]
        words += [*SMALL, "text_dim=16", "text_length=7", "resize=pad"]
        run("pretrain", "--method", "clip", *words)
    return seqclr.Run(folder)


def test_the_command_line_matches_as_python_does(clip, pages, tmp_path, capsys, eagerly):
    files = list(map(str, sorted((pages / "images").iterdir())[:3]))
    found = clip.match(files, ["12", "345"], batch_size=2)
    assert {match.word for match in found} <= {"12", "345"} and all(0.5 <= match.probability <= 1 for match in found)
    (tmp_path / "words.txt").write_text("345\n\n 12\r\n", encoding="utf-8")
    (tmp_path / "bad.png").write_bytes(b"no image")
    capsys.readouterr()
    for words in ("12,345", tmp_path / "words.txt"):
        argv = ["match", "--model", clip.folder, "--words", words, "--json", tmp_path / "out.json"]
        assert cli.main(list(map(str, [*argv, *files, tmp_path / "bad.png"]))) == 2
        out, err = capsys.readouterr()
        rows = [line.split("\t") for line in out.splitlines()]
        assert [row[:2] for row in rows] == [[file, match.word] for file, match in zip(files, found)]
        np.testing.assert_allclose([float(row[2]) for row in rows], [m.probability for m in found], atol=1e-4)
        assert err.startswith(f"seqclr match: {tmp_path / 'bad.png'} is not an image") and err.count("\n") == 1
        report = json.loads((tmp_path / "out.json").read_text())
        assert [row["word"] for row in report["matches"]] == [m.word for m in found] and len(report["unread"]) == 1


def test_what_cannot_be_matched_is_refused(clip, pages, tmp_path, capsys):
    image = sorted((pages / "images").iterdir())[0]
    (tmp_path / "latin1.txt").write_bytes(b"\xe4\n")
    for words, why in (
        ("words.csv", "--words words.csv is neither a file nor several words separated by commas"),
        ("12,12", "'12': give at least two different ones"),
        ("12,", "none of them empty"),
        ("12,1x", "the word '1x' has 'x', which is in no text"),
        (tmp_path / "latin1.txt", "latin1.txt cannot be read as UTF-8 text"),
    ):
        assert cli.main(list(map(str, ["match", "--model", clip.folder, "--words", words, image]))) == 2
        assert why in capsys.readouterr().err
    with pytest.raises(seqclr.UserError, match="words '1234567' and '12345678' have the same first 7 characters"):
        clip.match([image], ["12", "1234567", "12345678"])
    with pytest.raises(seqclr.UserError, match="is no run of clip alone: pretrain --method clip"):
        seqclr.Run("captcha").match([image], ["1", "2"])
    with pytest.raises(seqclr.UserError, match="words 12: give a list of words"):
        clip.match([image], "12")
    with pytest.raises(seqclr.UserError, match="match takes a list of images"):
        clip.match(image, ["1", "2"])
    with pytest.raises(seqclr.UserError, match="nowhere.png"):
        clip.match([image, "nowhere.png"], ["1", "2"])


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A run of CLIP on pictures of three colours, whose names are their texts, and new pictures."""
    folder = tmp_path_factory.mktemp("named")
    for part, count in (("seen", 48), ("new", 24)):
        (folder / part).mkdir()
        samples = pictures.write(folder / part, count, seed=count)
        tables.write(folder / part / "labels.csv", samples)
    words = ["--data", folder / "seen", "--output", folder / "run", "--steps", 10, "learning_rate=0.003"]
    words += [
        "encoder=least_picture",
        "height=16",
        "width=16",
        "text_dim=16",
        "text_depth=1",
        "text_length=5",
        "views=none",
    ]
    with untraced():
        run("pretrain", "--method", "clip", *words, "--batch-size", 16, "--processes", 0, "--precision", "float32")
    return folder


@pytest.mark.slow
def test_pictures_that_were_not_seen_get_the_names_of_their_classes(named, capsys):
    files = [str(named / "new" / f"{i}.png") for i in range(24)]
    assert cli.main(["match", "--model", str(named / "run"), "--words", "blue,red,green", *files]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == files
    right = np.mean([row[1] == pictures.NAMES[i % 3] for i, row in enumerate(rows)])
    assert right > 0.9, right


@pytest.mark.slow
def test_words_and_paths_of_pictures_are_answered_in_a_sentence_each(named, tmp_path, capsys):
    """One image, a word longer than the text encoder sees, words given twice, words alike to it, a wrong path."""
    first = str(named / "new" / "0.png")  # a red one

    def match(words, path=first):
        code = cli.main(["match", "--model", str(named / "run"), "--words", words, path])
        out, err = capsys.readouterr()
        return code, out, err

    for words in ("red,green", "red,red,green,green", "red,greenred"):
        code, out, err = match(words)
        assert (code, err) == (0, "") and out.startswith(f"{first}\tred\t") and out.count("\n") == 1
    for words, path, why in (
        ("green,greenred", first, "the words 'green' and 'greenred' have the same first 5 characters"),
        ("red,red", first, "words 'red': give at least two different ones"),
        ("red,green", "nowhere.png", "nowhere.png does not exist"),
        ("red,green", str(tmp_path), f"{tmp_path} holds no image"),
    ):
        code, out, err = match(words, path)
        assert code == 2 and not out and why in err and err.count("\n") == 1, err
