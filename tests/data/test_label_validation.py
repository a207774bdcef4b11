"""Labels: what no label may hold, and what nobody sees in one."""

import json
from pathlib import Path

import pytest

from seqclr.curation.check import check
from seqclr.data import label_validation
from seqclr.data.discovery import find, survey
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
    assert report.harmful and found(report) == {"unusable": ["c.png", "d.png", "b.png"]}
    told = report.text()
    assert "1 label(s) have U+FF11 (fullwidth digit one) where others have U+0031 (digit one)" in told
    assert "c.png has the label '13 ' with a space (U+0020) at an end" in told
    assert "d.png has right-to-left text, U+05D0 (hebrew letter alef)" in told
    assert texts(find([tmp_path / "clean.csv"])) == {"a.png": "12"}
