"""Text to ids and back, the case rules, and what CTC needs to spell a text."""

import unicodedata

import pytest

from seqclr.data.charset import Charset, frames_needed
from seqclr.errors import UserError


def test_ids_are_positions_and_the_blank_is_last():
    charset = Charset("cab")
    assert charset.encode("abc") == [1, 2, 0]
    assert charset.decode([1, 2, 0]) == "abc"
    assert len(charset) == charset.blank == 3


def test_of_labels_is_sorted_and_without_repeats():
    assert Charset.of(["hello", "world"]).characters == "dehlorw"


@pytest.mark.parametrize(
    "case, characters, target", [("keep", "ABab", "aB"), ("lower", "ab", "ab"), ("upper", "AB", "AB")]
)
def test_the_case_holds_for_labels_and_charset_alike(case, characters, target):
    charset = Charset("ABab", case)
    assert charset.characters == characters
    assert charset.target("aB") == charset.normalize("aB") == target
    assert Charset.of(["aB", "Ab"], case).characters == characters


def test_an_unknown_character_is_refused_by_name():
    with pytest.raises(UserError, match="a.png has the text 'a-b' with '-'"):
        Charset("ab").target("a-b", "a.png")


def test_an_unknown_character_is_dropped_if_asked():
    assert Charset("ab", unknown="drop").target("-a-b") == "ab"


def test_strangers_come_once_each():
    assert Charset("ab").strangers("x-ax-") == ["x", "-"]


@pytest.mark.parametrize("arguments", [("",), ("ab", "title"), ("ab", "keep", "ignore")])
def test_wrong_arguments_are_reported(arguments):
    with pytest.raises(UserError):
        Charset(*arguments)


def test_no_labels_are_reported():
    with pytest.raises(UserError, match="empty"):
        Charset.of([])
    with pytest.raises(UserError, match="title"):
        Charset.of(["a"], "title")


def test_decomposed_letters_are_composed():
    decomposed = unicodedata.normalize("NFD", "né")
    for charset in (Charset(decomposed), Charset.of([decomposed])):
        assert sorted(charset.characters) == ["n", "é"]
        assert charset.target(decomposed) == "né"
    assert Charset.of([decomposed], "upper").target("né") == "NÉ"


def test_a_mark_without_a_composed_form_does_not_melt_into_another_letter():
    texts = ["x\N{COMBINING ACUTE ACCENT}", "z"]  # sorted by code point, the mark would follow the z and make it a ź
    charset = Charset.of(texts)
    for text in texts:
        assert charset.decode(charset.encode(charset.target(text))) == text


@pytest.mark.parametrize("text", ["ΐ", "ŉ", "ß", "İ", "ẛ̣"])
@pytest.mark.parametrize("case", ["keep", "lower", "upper"])
def test_what_is_normal_stays_so(text, case):
    charset = Charset.of([text], case)
    assert charset.normalize(charset.normalize(text)) == charset.normalize(text)
    assert charset.target(text) == charset.normalize(text)


def test_save_and_load(tmp_path):
    charset = Charset.of(["Ünï", "x\N{COMBINING ACUTE ACCENT}z", "日本"], "lower", "drop")
    charset.save(tmp_path / "charset.json")
    assert Charset.load(tmp_path / "charset.json") == charset
    assert "日" in (tmp_path / "charset.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", ["", "[1]", '{"letters": "ab"}', '{"characters": ""}'])
def test_a_file_that_is_no_charset_is_reported(tmp_path, content):
    (tmp_path / "charset.json").write_text(content)
    with pytest.raises(UserError):
        Charset.load(tmp_path / "charset.json")
    with pytest.raises(UserError, match="gone.json"):
        Charset.load(tmp_path / "gone.json")


@pytest.mark.parametrize(
    "text, frames", [("", 0), ("a", 1), ("ab", 2), ("aa", 3), ("aaa", 5), ("hello", 6), ("abab", 4)]
)
def test_equal_neighbours_need_a_blank_between(text, frames):
    assert frames_needed(text) == frames
