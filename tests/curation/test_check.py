"""What is wrong with data is found, named, told from what is harmless, and left out of the clean list."""

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqclr import cli
from seqclr.curation.check import KINDS, Finding, check
from seqclr.data.discovery import find, find_unlabelled
from seqclr.errors import UserError


def draw(path: Path, seed: int, size: tuple[int, int] = (60, 20)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size[::-1], np.uint8)).save(path)


def make(folder: Path, rows: list[tuple], extra: dict[str, int] | None = None) -> Path:
    """A folder with rows of (file, text, split, seed of the pixels) and perhaps further images."""
    for file, _, _, seed in rows:
        if seed is not None:
            draw(folder / "images" / file, seed)
    for file, seed in (extra or {}).items():
        draw(folder / file, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("file", "text", "split"), *(row[:3] for row in rows)])
    return folder


def found(report) -> dict[str, list[str]]:
    """The files by kind of finding, without their folders, of the kinds that were found."""
    kinds = report.figures()["findings"]
    return {kind: [Path(file).name for file in told["files"]] for kind, told in kinds.items() if told["count"]}


CLEAN = [("a.png", "abc", "train", 1), ("b.png", "bcd", "train", 2), ("c.png", "cab", "test", 3)]


def test_clean_data(tmp_path):
    draw(tmp_path / "data" / "more" / "d.png", 4, (80, 30))
    report = check([make(tmp_path / "data", CLEAN)])
    figures = report.figures()
    assert not report.harmful and found(report) == {} and report.text().endswith("nothing wrong")
    assert json.loads(json.dumps(figures))["harmful"] is False
    assert (figures["images"], figures["labelled"], figures["charset"], figures["seen_once"]) == (4, 3, "abcd", "d")
    assert figures["sources"] == {"data": {"train": 2, "test": 1, "unlabelled": 1}}
    assert figures["label_lengths"] == {3: 3}
    assert figures["sizes"]["distinct"] == 2 and figures["sizes"]["width"] == [60, 80]
    assert figures["sizes"]["most_common"][0] == {"width": 60, "height": 20, "count": 3}


def test_contradicted_labels_are_not_called_right(tmp_path):
    folder = make(tmp_path / "data", CLEAN)
    report = check([folder], judge=lambda: [Finding("contradicted", ("a.png",), "a.png has the label 'abc'")])
    assert not report.harmful and report.text().endswith("nothing else is wrong")


def test_images_that_cannot_be_read(tmp_path):
    names = ["empty.png", "text.png", "cut.png", "dot.png", "wide.png"]
    folder = make(tmp_path / "data", [*CLEAN, *((name, "abc", "train", None) for name in names)])
    draw(tmp_path / "whole.png", 9)
    whole = (tmp_path / "whole.png").read_bytes()
    for name, data in zip(names, (b"", b"<html>", whole[: len(whole) // 2])):
        (folder / "images" / name).write_bytes(data)
    Image.new("1", (1, 1)).save(folder / "images" / "dot.png")
    Image.new("1", (20_000, 8)).save(folder / "images" / "wide.png")
    report = check([folder])
    assert report.harmful and found(report) == {"unreadable": names}
    for reason in ("0 bytes", "not an image", "damaged or truncated", "is 1x1", "is 20000x8"):
        assert reason in report.text()


def test_the_limits_of_files_are_flags(tmp_path, capsys):
    folder = make(tmp_path / "data", CLEAN)
    assert cli.main(["check", str(folder)]) == cli.main(["check", "--data", str(folder)]) == 0
    assert cli.main(["check"]) == 2
    for flag in ("--max-pixels", "--max-bytes"):
        assert cli.main(["check", str(folder), flag, "40"]) == 2
        assert flag[2:].replace("-", "_") in capsys.readouterr().out
    assert cli.main(["check", str(folder), "--max-frames", "0"]) == 2
    assert "max_frames 0: at least 1" in capsys.readouterr().err


def test_rows_that_name_missing_files_are_all_reported(tmp_path):
    rows = [("gone1.png", "abc", "train", None), *CLEAN, ("gone2.png", "abc", "test", None)]
    report = check([make(tmp_path / "data", rows)])
    assert report.harmful and found(report) == {"missing": ["gone1.png", "gone2.png"]}
    assert "line 2 names gone1.png" in report.text() and "line 6 names gone2.png" in report.text()


def test_rows_that_cannot_be_used(tmp_path):
    folder = make(tmp_path / "data", CLEAN)
    (folder / "labels.csv").write_text("file,text\na.png,abc, d\nb.png\nc.png,abc\n")
    report = check([folder])
    assert report.harmful and report.figures()["findings"]["unusable"]["count"] == 2
    report = check([folder], label_pattern="a{text}.png")
    assert found(report) == {"unusable": ["a.png", "b.png", "c.png"]}


def test_labels(tmp_path):
    rows = [("e.png", "", "train", 4), ("f.png", "  ", "train", 5), ("g.png", "Ab!", "train", 6)]
    folder = make(tmp_path / "data", [*CLEAN, *rows])
    report = check([folder])
    assert found(report) == {"empty": ["e.png", "f.png"]} and not report.harmful
    assert report.figures()["sources"]["data"]["unlabelled"] == 2 and report.figures()["label_lengths"][3] == 4
    report = check([folder], charset="abcd", case="lower")
    assert report.harmful and found(report) == {"empty": ["e.png", "f.png"], "unknown": ["g.png"]}
    assert "g.png has the label 'ab!' with '!'" in report.text()
    assert not check([make(tmp_path / "fine", CLEAN)], charset="ABCD", case="upper").harmful


def test_an_empty_label_is_none_beside_that_of_an_equal_image(tmp_path):
    rows = [("a.png", "abc", "train", 1), ("b.png", "", "train", 1)]
    assert found(check([make(tmp_path / "data", rows)])) == {"empty": ["b.png"], "duplicates": ["a.png", "b.png"]}


def labelled(folder: Path, texts: list[str]) -> Path:
    """A folder of images with these texts; no two images are equal."""
    return make(folder, [(f"{i:03}.png", text, "train", i) for i, text in enumerate(texts)])


def test_a_length_that_few_labels_have_is_noted(tmp_path):
    report = check([labelled(tmp_path / "data", ["12345"] * 39 + ["1234", "123456"])])
    assert not report.harmful and found(report) == {"length": ["039.png", "040.png"]}
    assert "039.png has the label '1234' of length 4, as 1 of 41" in report.text()
    assert report.text().endswith("nothing else is wrong")
    assert found(check([labelled(tmp_path / "one in twenty", ["12345"] * 19 + ["1234"])])) == {}
    one, other = labelled(tmp_path / "one", ["12345"] * 39), make(tmp_path / "other", [("a.png", "abc", "train", 99)])
    assert found(check([one, other])) == {}  # another site
    mixed = ["1234"] * 20 + ["12345"] * 20 + ["123"]  # no length has most
    assert found(check([labelled(tmp_path / "mixed", mixed)])) == {}


def test_a_character_of_another_script_is_noted(tmp_path):
    report = check([labelled(tmp_path / "data", ["12345"] * 30 + ["12З45"])])  # a Cyrillic letter
    assert not report.harmful and found(report) == {"character": ["030.png"]}
    assert "U+0417 (cyrillic capital letter ze) of another script" in report.text()
    assert found(check([labelled(tmp_path / "latin", ["12345"] * 30 + ["12E45"])])) == {"character": ["030.png"]}
    assert found(check([labelled(tmp_path / "digit", ["abcde"] * 30 + ["ab1de"])])) == {}  # digits go with any script
    assert found(check([labelled(tmp_path / "both", ["abcde"] * 30 + ["абвгд"] * 2)])) == {}  # one in twenty
    allowed = check([tmp_path / "data"], charset="12345З")
    assert found(allowed) == {}


def test_a_character_that_occurs_once_is_noted_among_many_labels(tmp_path):
    report = check([labelled(tmp_path / "data", ["abcd", "bcda"] * 50 + ["abzd"])])
    assert not report.harmful and found(report) == {"character": ["100.png"]}
    assert "'abzd' with U+007A (latin small letter z), which no other has" in report.text()
    assert found(check([labelled(tmp_path / "few", ["abcd", "bcda"] * 49 + ["abzd"])])) == {}
    rich = ["abcd"] * 100 + [f"ab{chr(0xE0 + i)}d" for i in range(6)]  # so many have one that more are to be expected
    assert found(check([labelled(tmp_path / "rich", rich)])) == {}


def test_labels_too_long_for_their_frames(tmp_path):
    rows = [("a.png", "a" * 17, "train", 1), ("b.png", "ab" * 16, "train", 2), ("c.png", "a" * 16, "train", 3)]
    folder = make(tmp_path / "data", rows)  # 17 equal letters need 33 frames, 16 of two kinds need 32, of one kind 31
    assert found(check([folder], width=128)) == {"too_long": ["a.png"]}
    assert found(check([folder], width=132)) == {}
    # 60x20 becomes 96x32 and so 24 frames, however wide the page is
    report = check([folder], width=1024, resize="pad")
    assert report.harmful and found(report) == {"too_long": ["a.png", "b.png", "c.png"]}
    assert "needs 33 frames but has 24" in report.text()


# equal images


def test_equal_images_of_one_split_are_reported_but_do_not_hurt(tmp_path):
    report = check([make(tmp_path / "data", [*CLEAN, ("d.png", "abc", "train", 1)], {"unlabelled/u.png": 2})])
    assert not report.harmful and found(report) == {"duplicates": ["a.png", "d.png", "b.png", "u.png"]}


def test_a_picture_is_the_same_in_every_format(tmp_path):
    """As PNG, as BMP, and compressed anew with another label."""
    folder = make(tmp_path / "data", [*CLEAN, ("d.bmp", "abc", "test", 1), ("e.png", "abd", "train", 1)])
    with Image.open(folder / "images" / "a.png") as image:
        image.convert("RGB").save(folder / "images" / "e.png", compress_level=0)
    files = [(folder / "images" / name).read_bytes() for name in ("a.png", "d.bmp", "e.png")]
    assert len(set(files)) == 3
    assert found(check([folder])) == {"conflicts": ["a.png", "d.bmp", "e.png"], "leaks": ["a.png", "d.bmp", "e.png"]}
    wide = make(tmp_path / "wide", [("a.png", "abc", "train", None), ("b.png", "abc", "test", None)])
    (wide / "images").mkdir()
    for name, size in {"a.png": (60, 20), "b.png": (20, 60)}.items():
        Image.new("L", size).save(wide / "images" / name)
    assert found(check([wide])) == {}  # the same bytes of pixels, and another picture


def test_equal_images_with_different_labels_hurt(tmp_path):
    folder = make(tmp_path / "data", [*CLEAN, ("d.png", "ABC", "train", 1)])
    report = check([folder])
    assert report.harmful and found(report) == {"conflicts": ["a.png", "d.png"]}
    assert "'abc'" in report.text() and "'ABC'" in report.text()
    assert found(check([folder], case="lower")) == {"duplicates": ["a.png", "d.png"]}


def test_equal_images_in_two_splits_hurt(tmp_path):
    report = check([make(tmp_path / "data", [*CLEAN, ("d.png", "abc", "test", 1)])])
    assert report.harmful and found(report) == {"leaks": ["a.png", "d.png"]}
    assert "d.png (data, test)" in report.text()


def test_a_test_image_among_those_without_labels_is_harmful(tmp_path):
    report = check([make(tmp_path / "data", CLEAN, {"unlabelled/u.png": 3})])
    assert report.harmful and found(report) == {"leaks": ["c.png", "u.png"]}


def test_equal_images_in_two_sources_hurt(tmp_path):
    first = make(tmp_path / "x" / "data", CLEAN)
    second = make(tmp_path / "y" / "data", [("a2.png", "abc", "train", 1), ("e.png", "dab", "train", 5)])
    report = check([first, second])
    assert report.harmful and found(report) == {"leaks": ["a.png", "a2.png"]}
    assert report.figures()["sources"] == {"data": {"train": 2, "test": 1}, "data#2": {"train": 2}}


# folders without labels, and long reports


def test_folders_without_labels(tmp_path):
    for i in range(3):
        draw(tmp_path / "pile" / f"{i}.png", min(i, 1))
    report = check([tmp_path / "pile"], charset="ab")
    assert not report.harmful and found(report) == {"duplicates": ["1.png", "2.png"]}
    assert "labels were not checked" in report.text()
    (tmp_path / "pile" / "3.png").write_bytes(b"")
    assert found(check([tmp_path / "pile"]))["unreadable"] == ["3.png"]


def test_a_report_names_ten_and_counts_the_rest(tmp_path):
    rows = [(f"{i:02}.png", "abc", "train", None) for i in range(25)]
    report = check([make(tmp_path / "data", [*CLEAN, *rows])])
    assert "and 15 more" in report.text() and "09.png" in report.text() and "10.png" not in report.text()
    assert report.figures()["findings"]["missing"]["count"] == len(found(report)["missing"]) == 25


def test_names_that_are_no_utf8_can_be_printed(tmp_path):
    (tmp_path / "pile").mkdir()
    name = str(tmp_path / "pile").encode() + b"/\xff.png"
    try:
        open(name, "wb").close()
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    report = check([tmp_path / "pile"])
    assert report.harmful
    (report.text() + json.dumps(report.figures(), ensure_ascii=False)).encode()


def test_paths_that_hold_nothing(tmp_path):
    with pytest.raises(UserError, match="gone does not exist"):
        check([tmp_path / "gone"])


def test_thousands_in_seconds(tmp_path):
    for i in range(2500):
        draw(tmp_path / "pile" / f"{i}.png", i)
    started = time.monotonic()
    assert check([tmp_path / "pile"]).figures()["images"] == 2500
    assert time.monotonic() - started < 10


# the clean list


def test_the_clean_list_leaves_out_what_is_harmful_and_nothing_else(tmp_path):
    rows = [
        *CLEAN,
        ("gone.png", "abc", "train", None),
        ("bad.png", "abc", "train", None),
        ("empty.png", "", "train", 4),
        ("long.png", "ab" * 40, "train", 5),
        ("odd.png", "ab?", "train", 6),
        ("one.png", "abc", "train", 7),
        ("other.png", "abd", "train", 7),
        ("twin.png", "abc", "train", 1),
        ("leak.png", "cab", "train", 3),
        ("comma.png", "a,b\"c'd", "validation", 8),
    ]
    folder = make(tmp_path / "data", rows, {"unlabelled/u.png": 20})
    (folder / "images" / "bad.png").write_bytes(b"bad")
    charset = "abcd,\"'"
    report = check([folder], charset, fix=tmp_path / "clean.csv")
    assert set(found(report)) == set(KINDS) - {"unusable", "changed", "length", "character", "contradicted"}
    kept = {Path(sample.file).name: (sample.text, sample.split) for sample in find([tmp_path / "clean.csv"])}
    assert kept == {
        "a.png": ("abc", "train"),
        "b.png": ("bcd", "train"),
        "c.png": ("cab", "test"),
        "twin.png": ("abc", "train"),
        "comma.png": ("a,b\"c'd", "validation"),
    }
    assert not check([tmp_path / "clean.csv"], charset).harmful
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.csv", "data"]


@pytest.mark.parametrize("place", ["clean.csv", "data/clean.csv", "data/images/clean.csv", "away/clean.csv"])
def test_the_clean_list_is_read_back_from_anywhere(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    make(Path("data"), CLEAN)
    Path("away").mkdir()
    check(["data"], fix=place)
    monkeypatch.chdir("/")
    assert [sample.text for sample in find([tmp_path / place])] == ["abc", "bcd", "cab"]


def test_the_clean_list_of_leaks_between_sources_keeps_the_test_rows(tmp_path):
    first = make(tmp_path / "first", [("a.png", "abc", "train", 1), ("b.png", "abc", "train", 2)])
    second = make(tmp_path / "second", [("c.png", "abc", "test", 1)])
    check([first, second], fix=tmp_path / "clean.csv")
    assert [Path(sample.file).name for sample in find([tmp_path / "clean.csv"])] == ["b.png", "c.png"]


def test_the_clean_list_of_images_without_labels_is_for_pretraining(tmp_path):
    draw(tmp_path / "pile" / "a.png", 1)
    (tmp_path / "pile" / "b.png").write_bytes(b"")
    check([tmp_path / "pile"], fix=tmp_path / "clean.csv")
    assert [Path(sample.file).name for sample in find_unlabelled([tmp_path / "clean.csv"])] == ["a.png"]


def test_a_clean_list_never_overwrites(tmp_path):
    folder = make(tmp_path / "data", CLEAN)
    before = (folder / "labels.csv").read_bytes()
    with pytest.raises(UserError, match="labels.csv exists already"):
        check([folder], fix=folder / "labels.csv")
    assert (folder / "labels.csv").read_bytes() == before


def test_a_clean_list_that_cannot_be_written(tmp_path):
    folder = make(tmp_path / "data", CLEAN)
    with pytest.raises(UserError, match="folder does not exist"):
        check([folder], fix=tmp_path / "gone" / "clean.csv")
    with pytest.raises(UserError, match="does not end in .csv"):
        check([folder], fix=tmp_path / "clean.txt")
    nothing = make(tmp_path / "nothing", [("a.png", "", "train", 1)])
    with pytest.raises(UserError, match="would be empty"):
        check([nothing], fix=tmp_path / "clean.csv")
    draw(tmp_path / "odd" / "a\udcff.png", 0)
    with pytest.raises(UserError, match="has a name that is not UTF-8, so a CSV file cannot list it"):
        check([tmp_path / "odd"], fix=tmp_path / "clean.csv")
    assert not list(tmp_path.glob("clean*"))
