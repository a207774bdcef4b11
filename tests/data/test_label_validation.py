"""Labels: what no label may hold, and what nobody sees in one."""

import json
from pathlib import Path

import pytest

from seqclr.curation.check import check
from seqclr.data import label_validation
from seqclr.data.discovery import find, find_unlabelled, survey
from seqclr.errors import UserError
from tests.curation.test_check import found, make
from tests.data.test_discovery import draw, store, texts, write

UNFIT = {"tab": "a\tb", "line": "a\nb", "return": "ab\r", "NUL": "a\0b", "C1": "a\x85b", "U+2028": "a\u2028b"}


@pytest.fixture
def image(tmp_path) -> Path:
    return draw(tmp_path / "data" / "images" / "a.png")


# what is refused


@pytest.mark.parametrize("case", UNFIT)
@pytest.mark.parametrize("kind", ["labels.csv", "list.jsonl", "images/a.gt.txt", "lmdb"])
def test_a_control_character_is_refused_and_named_with_its_row(image, tmp_path, kind, case):
    folder, text = tmp_path / "data", UNFIT[case]
    path = folder if kind == "labels.csv" else folder / "images" if kind.endswith(".txt") else folder / kind
    if kind == "lmdb":
        store(path, [(image.read_bytes(), text.encode())])
    else:
        content = {
            "labels.csv": f'file,text\na.png,"{text}"\n',
            "list.jsonl": json.dumps({"file": "a.png", "text": text}),
        }
        write(folder / kind, content.get(kind, text + "b"))
    where = {"labels.csv": "labels.csv, line", "list.jsonl": "list.jsonl, line 1", "lmdb": "image-000000001"}
    with pytest.raises(UserError, match=rf"{where.get(kind, 'a.gt.txt')}.* has the text .* with U\+"):
        find([path])
    samples, faults = survey([path])
    assert not samples and len(faults) == 1


def test_a_surrogate_is_refused(image, tmp_path):
    write(tmp_path / "data" / "list.jsonl", '{"file": "a.png", "text": "a\\ud800"}')
    with pytest.raises(UserError, match=r"line 1 has the text 'a\\ud800' with U\+D800"):
        find([tmp_path / "data" / "list.jsonl"])


# tables


def test_every_character_of_a_tsv_stands_for_itself(tmp_path):
    for name in "abc":
        draw(tmp_path / f"{name}.png")
    table = write(tmp_path / "list.tsv", 'file\ttext\na.png\t"ab\nb.png\tcd"\nc.png\t"ab12"\n')
    assert texts(find([table])) == {"a.png": '"ab', "b.png": 'cd"', "c.png": '"ab12"'}


@pytest.mark.parametrize("row", ["images\\sub\\é.png", ".\\images\\sub\\e\u0301.png", "sub/e\u0301.png", "sub\\é.png"])
@pytest.mark.parametrize("name", ["é.png", "e\u0301.png"])
def test_a_row_finds_its_file_however_it_was_written(tmp_path, row, name):
    file = draw(tmp_path / "images" / "sub" / name)
    table = write(tmp_path / "list.csv", f"file,text\n{row},x\n")
    assert [sample.file for sample in find([table])] == [str(file)]


DEEP = '{"file": "a.png", "text": ' + "[" * 100_000 + "]" * 100_000 + "}"
FAULTY = {
    "NUL": ("list.csv", "file,text\na.png,x\na\0.png,y\n", r"line 3 names 'a\\x00.png'"),
    "surrogate": ("list.jsonl", '{"file": "\\ud800.png", "text": "x"}', r"line 1 names '\\ud800.png'"),
    "deep": ("list.jsonl", f'{{"file": "a.png", "text": "x"}}\n{DEEP}\n', "line 2 is not a JSON .*nested too deeply"),
    "twice": ("list.csv", "file,text,text\na.png,x,y\n", "line 1 has two columns 'text'"),
    "keys": ("list.jsonl", '{"file": "a.png", "text": "x", "text": "y"}', "line 1 has two keys 'text'"),
    "list": ("list.jsonl", '{"file": "a.png", "text": ["x"]}', "line 1 has a 'text' that is neither text nor a number"),
    "object": ("list.jsonl", '{"file": "a.png", "text": {"x": 1}}', "line 1 has a 'text' that is neither"),
    "long": ("list.csv", f"file,text\na.png,{'x' * 200_000}\n", "line 2 is not a table row"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_table_that_cannot_be_read_is_named_by_line(image, tmp_path, case):
    name, content, message = FAULTY[case]
    table = write(tmp_path / "data" / name, content)
    with pytest.raises(UserError, match=message) as caught:
        find([table])
    assert str(table) in str(caught.value)
    str(caught.value).encode("utf-8", "strict")


def test_columns_without_a_name_may_come_twice(image, tmp_path):
    table = write(tmp_path / "data" / "list.csv", "file,text,,\na.png,x,,\n")
    assert texts(find([table])) == {"a.png": "x"}


def test_a_table_that_may_not_be_read_is_told(image, tmp_path):
    if not Path("/proc/self/mem").is_file():
        pytest.skip("there is no file that can be opened and not be read")
    (tmp_path / "data" / "labels.csv").symlink_to("/proc/self/mem")
    for path in ("data", "data/images"):
        with pytest.raises(UserError, match="labels.csv cannot be read .*: check the file"):
            find_unlabelled([tmp_path / path])


# what nobody sees


SEEN = ["abc", "a b", "Ünïcode", "日本語", "Привет мир", "10 kΩ", "می‌خواهم"[:2], "x²", "ſo", "नमस्ते"]
UNSEEN = {
    "ab ": "U+0020",
    " ab": "U+0020",
    "a\u200bb": "U+200B",
    "a\u00a0b": "U+00A0",
    "\ufeffab": "U+FEFF",
    "a\u3000b": "U+3000",
    "a\u00adb": "U+00AD",
    "a\ufe0f": "U+FE0F",
    "a\u3164": "U+3164",
    "a\ue000": "U+E000",
    "p\u0430ss": "U+0430 (cyrillic small letter a) beside U+0070 (latin small letter p)",
}


@pytest.mark.parametrize("text", SEEN)
def test_what_is_seen_is_no_fault(text):
    assert label_validation.invisible_characters(text) == [] and label_validation.check(text, "row") == text


@pytest.mark.parametrize("text", UNSEEN)
def test_what_nobody_sees_is_named_by_code_point(text):
    assert any(UNSEEN[text] in told for told in label_validation.invisible_characters(text))


def test_characters_of_two_widths_are_told(tmp_path):
    assert label_validation.character_variants(["a7", "\uff17b", "ab"]) == [("7", "\uff17")]
    assert label_validation.character_variants(["s", "ſ", "2", "²"]) == []
    rows = [("a.png", "12", "train", 1), ("b.png", "3\uff11", "train", 2), ("c.png", "13 ", "train", 3)]
    rows.append(("d.png", "אב", "train", 4))
    report = check([make(tmp_path / "data", rows)], fix=tmp_path / "clean.csv")
    assert report.hurts and found(report) == {"unusable": ["c.png", "d.png", "b.png"]}
    told = report.text()
    assert "1 label(s) have U+FF11 (fullwidth digit one) where others have U+0031 (digit one)" in told
    assert "c.png has the label '13 ' with a space (U+0020) at an end" in told
    assert "d.png has right-to-left text, U+05D0 (hebrew letter alef)" in told
    assert texts(find([tmp_path / "clean.csv"])) == {"a.png": "12"}
