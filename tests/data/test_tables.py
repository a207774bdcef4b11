"""Tables: rows are read literally, found files are samples, and faults are named by line."""

from dataclasses import replace
from pathlib import Path

import pytest

from seqclr.curation.pack import pack
from seqclr.data import tables
from seqclr.data.discovery import find, find_unlabelled, survey
from seqclr.errors import UserError
from tests.data.test_discovery import draw, store, texts, write


@pytest.fixture
def image(tmp_path) -> Path:
    return draw(tmp_path / "data" / "images" / "a.png")


def test_absolute_paths_in_a_table(folder, tmp_path):
    table = write(tmp_path / "elsewhere" / "list.csv", f"file,text\n{folder / 'images' / 'a.png'},one\n")
    assert texts(find([table])) == {"a.png": "one"}


TABLES = {
    "list.csv": 'file,text\na.png,"one, ""two"""\nb.png,three\n',
    "list.tsv": 'file\ttext\na.png\tone, "two"\nb.png\tthree\n',
    "list.jsonl": '{"file": "a.png", "text": "one, \\"two\\""}\n\n{"file": "b.png", "text": "three", "split": null}\n',
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_tables_with_and_without_a_byte_order_mark(folder, name, encoding):
    table = write(folder / name, TABLES[name], encoding)
    assert texts(find([table])) == {"a.png": 'one, "two"', "b.png": "three"}


def test_texts_are_taken_as_they_are(folder):
    write(folder / "labels.csv", "text,file\n 007 ,a.png\n,b.png\nNA,c.png\n")
    assert texts(survey([folder / "labels.csv"])[0]) == {"a.png": " 007 ", "b.png": "", "c.png": "NA"}


def test_a_row_names_an_image_of_a_store(folder, tmp_path):
    files = sorted((folder / "images").iterdir())
    lmdb = store(tmp_path / "lmdb", [(file.read_bytes(), file.stem.encode()) for file in files])
    pack([str(folder)], str(tmp_path / "a:b" / "pack"), shard_size=3)
    for place in (lmdb, tmp_path / "a:b" / "pack"):
        samples, _ = survey([place])
        tables.write(tmp_path / "list.csv", [replace(sample, text=str(n)) for n, sample in enumerate(samples)])
        found = find([tmp_path / "list.csv"])
        assert [(each.text, each.read_bytes()) for each in found] == [
            (str(n), sample.read_bytes()) for n, sample in enumerate(samples)
        ]
        assert all(each == replace(sample, source=each.source, text=each.text) for each, sample in zip(found, samples))
    shard = "a:b/pack/pack-00001-of-00002.arrayrecord"
    keys = ("image-000000009", "label-000000001", "num-samples", "")
    for name in (*(f"lmdb:{key}" for key in keys), f"{shard}:1", f"{shard}:x", f"{'long' * 99}.arrayrecord:1"):
        write(tmp_path / "list.csv", f"file,text\n{name},one\n")
        with pytest.raises(UserError, match=f"line 2 names {name}, which is not in"):
            find([tmp_path / "list.csv"])


FAULTY = {
    "no column": ("labels.csv", "file,label\na.png,one\n", "line 2 has no column 'text' .it has: file, label"),
    "no file column": ("labels.csv", "name,text\na.png,one\n", "no column 'file'"),
    "missing file": ("labels.csv", "file,text\na.png,one\ngone.png,two\n", "line 3 names gone.png"),
    "no file name": ("labels.csv", "file,text\n,one\n", "line 2 names"),
    "a text for a file": ("labels.csv", f"file,text\n{'long ' * 100},a.png\n", "line 2 names long"),
    "short row": ("labels.csv", "file,text\na.png\n", "line 2 ends before its 'text'"),
    "bare comma": ("labels.csv", "file,text\na.png,one, two\n", "line 2 has more fields than columns"),
    "open quote": ("labels.csv", 'file,text\na.png,"one\n', "line 2 is not a table row"),
    "no rows": ("labels.csv", "file,text\n", "has no rows"),
    "empty": ("labels.csv", "", "has no rows"),
    "no JSON": ("list.jsonl", '{"file": "a.png", "text": "one"}\n{"file":\n', "line 2 is not JSON"),
    "no object": ("list.jsonl", "[1]\n", "line 1 is not a JSON object"),
    "no key": ("list.jsonl", '{"file": "a.png"}\n', "line 1 has no column 'text'"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_faults_of_a_table_name_the_row(folder, case):
    name, content, message = FAULTY[case]
    table = write(folder / name, content)
    with pytest.raises(UserError, match=message) as caught:
        find([table])
    assert str(table) in str(caught.value)


@pytest.mark.parametrize(
    "name, row", [("list.csv", "file,text\na.png,né"), ("list.jsonl", '{"file": "a.png", "text": "né"}')]
)
def test_a_table_in_another_encoding_is_told(folder, name, row):
    with pytest.raises(UserError, match=f"{name} is not UTF-8"):
        find([write(folder / name, row, "latin-1")])


@pytest.mark.parametrize("number", ["0.10", "1e5", "12345678901234567890.0", "-0", "7"])
def test_numbers_of_json_are_the_text_that_stands_there(folder, number):
    write(folder / "list.jsonl", f'{{"file": "a.png", "text": {number}}}')
    assert texts(find([folder / "list.jsonl"])) == {"a.png": number}


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
UNREADABLE = {
    "NUL": ("list.csv", "file,text\na.png,x\na\0.png,y\n", r"line 3 names 'a\\x00.png'"),
    "surrogate": ("list.jsonl", '{"file": "\\ud800.png", "text": "x"}', r"line 1 names '\\ud800.png'"),
    "deep": ("list.jsonl", f'{{"file": "a.png", "text": "x"}}\n{DEEP}\n', "line 2 is not a JSON .*nested too deeply"),
    "twice": ("list.csv", "file,text,text\na.png,x,y\n", "line 1 has two columns 'text'"),
    "keys": ("list.jsonl", '{"file": "a.png", "text": "x", "text": "y"}', "line 1 has two keys 'text'"),
    "list": ("list.jsonl", '{"file": "a.png", "text": ["x"]}', "line 1 has a 'text' that is neither text nor a number"),
    "object": ("list.jsonl", '{"file": "a.png", "text": {"x": 1}}', "line 1 has a 'text' that is neither"),
    "long": ("list.csv", f"file,text\na.png,{'x' * 200_000}\n", "line 2 is not a table row"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_table_that_cannot_be_read_is_named_by_line(image, tmp_path, case):
    name, content, message = UNREADABLE[case]
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
