"""Sources of images and texts: each kind is found, each fault is named."""

import json
import os
import time
from pathlib import Path

import pytest
from PIL import Image

from seqclr.curation.pack import pack
from seqclr.data.discovery import exclude, find, find_images, find_unlabelled, survey
from seqclr.data.images import decode
from seqclr.data.samples import Sample, count_splits, evaluation_samples
from seqclr.errors import UserError


def draw(path: Path, gray: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (24, 16), gray).save(path)
    return path


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def texts(samples) -> dict[str, str | None]:
    return {Path(sample.file).name: sample.text for sample in samples}


# tables


def test_a_folder_with_labels(folder):
    samples = find([folder])
    assert texts(samples) == {"a.png": "one", "b.png": "two", "c.png": "three"}
    assert [sample.split for sample in samples] == ["train", "train", "test"]
    assert {sample.source for sample in samples} == {"data"}


def test_files_may_lie_beside_the_table_too(tmp_path):
    draw(tmp_path / "a.png")
    write(tmp_path / "labels.csv", "file,text\na.png,one\n")
    assert texts(find([tmp_path])) == {"a.png": "one"}


# splits


def test_a_split_picks_rows(folder):
    assert texts(find([folder], split="test")) == {"c.png": "three"}


def test_a_split_that_is_not_there_lists_those_that_are(folder):
    with pytest.raises(UserError, match="'dev': it has test, train"):
        find([folder], split="dev")
    write(folder / "labels.csv", "file,text\na.png,one\n")
    with pytest.raises(UserError, match="no split column"):
        find([folder], split="train")


@pytest.mark.parametrize("written", ["test", "Test", "TEST", " test ", "val", "Valid", "VALIDATION\t", "Train", ""])
def test_splits_have_one_name_however_they_are_written(folder, written):
    write(folder / "list.jsonl", json.dumps({"file": "d.png", "text": "x", "split": written}))
    ((sample,), name) = find([folder / "list.jsonl"]), written.strip().lower()
    assert sample.split == ("validation" if name.startswith("val") else name or None)
    if name:
        assert find([folder / "list.jsonl"], written.upper()) == find([folder / "list.jsonl"], f" {name}") == [sample]


def test_a_split_that_is_not_known_is_refused_by_its_row(folder):
    write(folder / "labels.csv", "file,text,split\na.png,one,train\nb.png,two,tset\n")
    for path in (folder, folder / "images", folder / "images" / "b.png"):
        with pytest.raises(UserError, match="labels.csv, line 3 has the split 'tset', which is not known: train"):
            find_unlabelled([path])


PATHS = {
    "the folder": ["."],
    "its images": ["images"],
    "one by one": ["images/a.png", "images/b.png", "images/c.png", "images/d.png"],
    "its table": ["labels.csv", "images"],
    "twice": [".", "images"],
    "the other way": ["images", "."],
    "a link to it": ["../link"],
    "a link to its images": ["../loose"],
    "a link to an image": ["../picked"],
    "around": ["../data/images/../images"],
    "another table": ["../other.csv", "images"],
}


@pytest.mark.parametrize("case", PATHS)
@pytest.mark.parametrize("absolute", [True, False])
def test_an_image_is_one_record_with_one_split_whatever_path_leads_there(folder, monkeypatch, case, absolute):
    monkeypatch.chdir(folder)
    (folder.parent / "link").symlink_to(folder)
    (folder.parent / "loose").symlink_to(folder / "images")
    (folder.parent / "picked").mkdir()
    for name in "abcd":
        (folder.parent / "picked" / f"{name}.png").symlink_to(folder / "images" / f"{name}.png")
    rows = "".join(f"data/images/{name}.png,{name},\n" for name in "abcd")
    write(folder.parent / "other.csv", f"file,text,split\n{rows}")
    paths = [folder / path if absolute else path for path in PATHS[case]]
    samples = find_unlabelled(paths)
    assert sorted(Path(sample.file).name for sample in samples) == ["a.png", "b.png", "d.png"]
    assert [Path(sample.file).name for sample in survey(paths)[0] if sample.split == "test"] == ["c.png"]
    assert sorted(str(sample.split) for sample in survey(paths)[0]) == ["None", "test", "train", "train"]


def test_a_copy_in_a_pack_is_the_same_image(folder):
    for gray, image in enumerate(sorted((folder / "images").iterdir())):
        draw(image, gray)
    pack([folder], folder / "pack")
    files, packed = find([folder]), find([folder / "pack"])
    for some, others in ((packed, files), (files, packed)):
        assert some and exclude(some, others) == []
        assert [sample.text for sample in exclude(some, others[1:])] == [some[0].text]


def test_a_pattern_takes_texts_and_leaves_splits(folder):
    for path in (folder, folder / "images"):
        samples = find([path], pattern="{text}.png")
        assert [(sample.text, sample.split) for sample in samples] == [
            ("a", "train"), ("b", "train"), ("c", "test"), ("d", None)]  # fmt: skip
        assert [sample.text for sample in find([path], "test", "{text}.png")] == ["c"]


def test_rows_that_say_different_things_of_an_image_are_refused(folder):
    write(folder / "more.csv", "file,text,split\nb.png,two,\na.png,one,test\n")
    with pytest.raises(UserError, match="labels.csv, line 2 has the split 'train' for .*a.png, and .*more.csv, line 3"):
        find_unlabelled([folder / "more.csv"])
    write(folder / "more.csv", "file,text\na.png,won\n")
    assert [(sample.text, sample.split) for sample in find([folder / "more.csv"])] == [("won", "train")]
    with pytest.raises(UserError, match="more.csv, line 2 has the text 'won' for .*a.png, and .*labels.csv, line 2"):
        find([folder / "labels.csv", folder / "more.csv"])
    write(folder / "labels.csv", "file,text,split\na.png,one,train\n./a.png,one,test\n")
    with pytest.raises(UserError, match="line 3 has the split 'test'.*line 2 has 'train'"):
        find([folder])


def test_a_table_that_is_given_replaces_texts_of_a_folder(folder, caplog):
    write(folder / "images" / "d.gt.txt", "four")
    write(folder / "more.csv", "file,text\na.png,won\nb.png,two\nd.png,for\n")
    for paths in ([folder, folder / "images", folder / "more.csv"], [folder / "more.csv", folder / "images", folder]):
        found = survey(paths)
        assert texts(found[0]) == {"a.png": "won", "b.png": "two", "c.png": "three", "d.png": "for"} and not found[1]
        assert {sample.split for sample in found[0] if sample.text == "won"} == {"train"}
    assert caplog.messages == [f"2 label(s) of the data are replaced by those of {folder / 'more.csv'}"]


def test_an_empty_text_is_no_label(folder, caplog):
    """The table that is given takes the text of a.png, and that of d.png beside the image. White space is no text."""
    write(folder / "images" / "d.gt.txt", "four")
    write(folder / "more.csv", "file,text\na.png,\nd.png,\u3000 \n")
    for paths in ([folder, folder / "images", folder / "more.csv"], [folder / "more.csv", folder / "images", folder]):
        assert texts(find(paths, "train")) == {"b.png": "two"}
        assert texts(find(paths)) == {"b.png": "two", "c.png": "three"}
        free = texts(find_unlabelled(paths))
        assert (free["a.png"], free["d.png"], "c.png" in free) == ("", "", False)
    left_out = [message for message in caplog.messages if "left out" in message]
    assert len(left_out) == 1 and left_out[0].startswith("2 image(s) with an empty text are left out, such as ")
    with pytest.raises(UserError, match="a.png has an empty text, as all others"):
        find([folder / "more.csv"])


def test_rows_that_cannot_be_read_stop_whoever_asks_for_images_below(folder):
    write(folder / "labels.csv", "file,text,split\na.png,one, two,test\n")
    for path in (folder, folder / "images", folder / "images" / "b.png"):
        with pytest.raises(UserError, match="labels.csv, line 2 has more fields than columns"):
            find_unlabelled([path])


def test_what_is_measured_is_the_test_part_or_else_the_validation_part_or_all():
    def rows(source, *splits):
        return [Sample(source, f"{source}{i}.png", "1", split) for i, split in enumerate(splits)]

    a, b = rows("a", "train", "test", "validation"), rows("b", "train", "validation", None)
    c, d = rows("c", None, "train"), rows("d", None)
    assert evaluation_samples([*a, *b, *c, *d]) == [a[1], b[1], *c, *d]
    assert (
        count_splits([*a[1:], *c]) == "1 of split test and 1 of split validation and 1 of no split and 1 of split train"
    )


def test_thousands_of_images_are_listed_in_less_than_a_second(folder):
    rows = [f"{i}.png,x,{'test' if i % 3 else 'train'}\n" for i in range(3000)]
    for i in range(3000):
        (folder / "images" / f"{i}.png").touch()
    write(folder / "labels.csv", "".join(["file,text,split\n", *rows]))
    started = time.process_time()
    assert len(find_unlabelled([folder / "images"])) == 1004
    assert time.process_time() - started < 1  # where the table was read for every image, hours


# folders


def test_folders_are_walked_and_every_format_is_found(tmp_path):
    for name in ("a.png", "b/c.JPG", "b/d/e.tif", "f.webp", "g.bmp", "h.gif"):
        draw(tmp_path / name)
    write(tmp_path / "notes.txt", "no image")
    samples = find([tmp_path], pattern="{text}.{any}")
    assert {sample.text for sample in samples} == set("acefgh")


@pytest.mark.parametrize(
    "pattern, name, text",
    [
        ("{text}.png", "a b.png", "a b"),
        ("{text}_{any}.png", "W9H5K_17_2.PNG", "W9H5K"),
        ("{any}_{text}.png", "017_abc.png", "abc"),
        ("scan({text}).png", "scan(x+y).png", "x+y"),
    ],
)
def test_patterns(tmp_path, pattern, name, text):
    draw(tmp_path / name)
    assert [sample.text for sample in find([tmp_path], pattern=pattern)] == [text]


def test_a_pattern_goes_before_labels(folder):
    assert texts(find([folder], pattern="{text}.png"))["d.png"] == "d"


def test_wrong_patterns(tmp_path):
    draw(tmp_path / "plain.png")
    with pytest.raises(UserError, match="plain.png does not fit"):
        find([tmp_path], pattern="{text}_{any}.png")
    with pytest.raises(UserError, match="needs {text} once"):
        find([tmp_path], pattern="{any}.png")


def test_texts_in_files_beside_the_images(tmp_path):
    draw(tmp_path / "a.png")
    write(tmp_path / "a.gt.txt", "eine Zeile \n", "utf-8-sig")
    assert texts(find([tmp_path])) == {"a.png": "eine Zeile "}
    write(tmp_path / "a.gt.txt", "größer", "latin-1")
    with pytest.raises(UserError, match="a.gt.txt is not UTF-8"):
        find([tmp_path])


def test_images_without_texts_are_named_with_the_ways_to_label_them(tmp_path):
    draw(tmp_path / "a.png")
    with pytest.raises(UserError, match="a.png has no text.*labels.csv.*gt.txt.*pattern"):
        find([tmp_path])


def test_an_empty_path_is_not_the_folder_that_one_is_in():
    for paths in ([""], ["a", ""]):
        with pytest.raises(UserError, match="a path of the data is empty"):
            find(paths)


@pytest.mark.parametrize("name", ["gone", "empty", "notes.txt"])
def test_paths_that_are_no_data(tmp_path, name):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "notes.txt", "no table")
    with pytest.raises(UserError, match=name):
        find([tmp_path / name])
    with pytest.raises(UserError, match="no data"):
        find([])


def test_hidden_folders_are_no_data(tmp_path):
    for name in ("a/b.png", ".ipynb_checkpoints/c.png", "a/__MACOSX/d.png", "a/@eaDir/e.png", ".git/x/f.png"):
        draw(tmp_path / ".cache" / name)
    write(tmp_path / ".cache" / "a" / ".ipynb_checkpoints" / "labels.csv", "file,text\ngone.png,x\n")
    path = tmp_path / ".cache"  # what is asked for is data, whatever it is called
    assert [sample.text for sample in find([path], pattern="{text}.png")] == ["b"]
    assert len(find_unlabelled([path])) == len(find_images([path])[0]) == len(survey([path])[0]) == 1


def test_images_of_data_sets_below_a_folder_are_images_of_the_folder(folder):
    assert [Path(sample.file).name for sample in find_images([folder.parent])[0]] == [
        "a.png",
        "b.png",
        "c.png",
        "d.png",
    ]


@pytest.mark.parametrize("name", ["labels.csv", "list.tsv", "list.jsonl", "a.gt.txt"])
def test_a_file_with_a_hole_does_not_fill_the_memory(tmp_path, name):
    draw(tmp_path / "a.png")
    write(tmp_path / name, "file,text\n")
    os.truncate(tmp_path / name, 30 * 2**30)
    with pytest.raises(UserError, match=f"{name} has (a line of more than 1048576 characters|32212254720 bytes)"):
        find([tmp_path / name if name.startswith("list") else tmp_path])


# LMDB


def store(path: Path, samples: list[tuple[bytes, bytes | None]], count: bytes | None = None) -> Path:
    """The layout of deep-text-recognition-benchmark."""
    import lmdb

    with lmdb.open(str(path), map_size=2**20) as environment, environment.begin(write=True) as transaction:
        for number, (image, label) in enumerate(samples, 1):
            transaction.put(f"image-{number:09d}".encode(), image)
            if label is not None:
                transaction.put(f"label-{number:09d}".encode(), label)
        transaction.put(b"num-samples", count or str(len(samples)).encode())
    return path


def take(path: Path, *keys: bytes) -> None:
    import lmdb

    with lmdb.open(str(path), map_size=2**20) as environment, environment.begin(write=True) as transaction:
        for key in keys:
            transaction.delete(key)
        for number in range(9):
            transaction.put(b"other-%d" % number, b"x")


def test_an_lmdb(tmp_path):
    data = [draw(tmp_path / f"{gray}.png", gray).read_bytes() for gray in (10, 20)]
    samples = find([store(tmp_path / "words", [(data[0], b"one"), (data[1], "zwölf".encode())])])
    assert [(sample.source, sample.text) for sample in samples] == [("words", "one"), ("words", "zwölf")]
    assert [decode(sample.read_bytes())[0, 0, 0] for sample in samples] == [10, 20]


def test_an_lmdb_without_labels(tmp_path):
    path = store(tmp_path / "words", [(draw(tmp_path / "a.png").read_bytes(), None)])
    assert len(find_unlabelled([path])) == 1
    with pytest.raises(UserError, match="has no text"):
        find([path])


def test_faults_of_an_lmdb(tmp_path):
    data = draw(tmp_path / "a.png").read_bytes()
    for name, label in (("short", b"one"), ("unlabelled", None)):
        with pytest.raises(UserError, match="no key image-000000002"):
            path = store(tmp_path / name, [(data, label), (data, label)], count=b"2")
            take(path, b"image-000000002", b"label-000000002")
            find_unlabelled([path])[1].read_bytes()
    with pytest.raises(UserError, match="label-000000001 that is not UTF-8"):
        find([store(tmp_path / "latin", [(data, b"\xe9")])])
    with pytest.raises(UserError, match="num-samples"):
        find([store(tmp_path / "odd", [(data, b"one")], count=b"many")])
    write(tmp_path / "broken" / "data.mdb", "no database")
    with pytest.raises(UserError, match="broken is not an LMDB"):
        find([tmp_path / "broken"])


# several sources


def test_sources_of_one_name_get_names_of_their_own(tmp_path):
    for parent in ("x", "y", "z"):
        draw(tmp_path / parent / "site" / "a.png")
    draw(tmp_path / "other" / "a.png")
    paths = [tmp_path / "x/site", tmp_path / "y/site", tmp_path / "other", tmp_path / "z/site"]
    samples = find(paths, pattern="{text}.png")
    assert [sample.source for sample in samples] == ["site", "site#2", "other", "site#3"]
    assert [sample.file for sample in samples] == [str(path / "a.png") for path in paths]


# without labels


def test_unlabelled_takes_what_no_list_names_and_leaves_the_test_rows(folder):
    assert texts(find_unlabelled([folder])) == {"a.png": "one", "b.png": "two", "d.png": None}


def test_test_rows_are_left_out_however_they_are_named(folder):
    rows = f"file,text,split\n{os.path.join('..', folder.name, 'images', 'c.png')},three,test\n"
    write(folder / "labels.csv", rows)
    assert sorted(texts(find_unlabelled([folder]))) == ["a.png", "b.png", "d.png"]


def test_rows_that_choose_the_checkpoint_are_left_out_as_those_that_test(folder):
    write(folder / "labels.csv", "file,text,split\na.png,one,val\nb.png,two,\nc.png,three,test\n")
    assert sorted(texts(find_unlabelled([folder]))) == ["b.png", "d.png"]
    assert texts(find_unlabelled([folder], "valid")) == {"a.png": "one"}


def test_unlabelled_of_a_split_takes_its_rows_only(folder):
    assert texts(find_unlabelled([folder], split="test")) == {"c.png": "three"}


def test_unlabelled_of_a_table_takes_its_rows_only(folder):
    assert sorted(texts(find_unlabelled([folder / "labels.csv"]))) == ["a.png", "b.png"]


def test_nothing_but_test_rows_is_nothing_to_train_on(folder):
    with pytest.raises(UserError, match="no image to train on"):
        find_unlabelled([write(folder / "t.csv", "file,text,split\nc.png,three,test\n")])


# a survey


def test_a_survey_goes_on_after_faults(folder):
    rows = [{"file": "gone.png", "text": "x"}, {"text": "y"}, {"file": "a.png", "text": "one", "split": "test"}]
    write(folder / "list.jsonl", "\n".join(map(json.dumps, rows)))
    samples, faults = survey([folder, folder / "list.jsonl"])
    assert texts(samples) == {"b.png": "two", "c.png": "three", "d.png": None}
    assert [sample.split for sample in samples] == ["train", "test", None]
    twice, gone, _ = faults
    assert "list.jsonl, line 3 has the split 'test'" in twice.reason and "line 2 has 'train'" in twice.reason
    assert gone.missing and gone.file == str(folder / "gone.png") and "line 1" in gone.reason


def test_a_survey_does_not_take_a_faulty_file_for_an_unlisted_one(folder):
    samples, faults = survey([folder], pattern="a{text}.png")
    assert not samples and len(faults) == 4


def test_a_folder_of_data_sets_is_as_many_sources(tmp_path):
    """Their test rows stay out of pretraining, though the folder above them is what was given."""
    for name in ("a", "b"):
        (tmp_path / "all" / name / "images").mkdir(parents=True)
        for split in ("train", "test"):
            Image.new("RGB", (20, 10)).save(tmp_path / "all" / name / "images" / f"{split}.png")
        (tmp_path / "all" / name / "labels.csv").write_text("file,text,split\ntrain.png,x,train\ntest.png,y,test\n")
    found = find_unlabelled([tmp_path / "all"])
    assert [(sample.source, Path(sample.file).name) for sample in found] == [("a", "train.png"), ("b", "train.png")]
    Image.new("RGB", (20, 10)).save(tmp_path / "all" / "loose.png")
    assert {sample.source for sample in find_unlabelled([tmp_path / "all"])} == {"all", "a", "b"}
    assert len(find([tmp_path / "all" / "a", tmp_path / "all" / "b"], "test")) == 2


# one image under several names


@pytest.mark.parametrize("paths", [["copies", "."], [".", "copies"], ["copies", "images"], ["copies", "images/c.png"]])
def test_hard_links_are_the_image_that_a_table_lists(folder, paths):
    copies = folder.parent / "copies"
    copies.mkdir()
    os.link(folder / "images" / "c.png", copies / "x.png")
    os.link(folder / "images" / "a.png", copies / "y.png")
    given = [copies if path == "copies" else folder / path for path in paths]
    samples, faults = survey(given)
    assert not faults and [sample.text for sample in samples if sample.split == "test"] == ["three"]
    assert not {"c.png", "x.png"} & {Path(sample.file).name for sample in find_unlabelled(given)}
    assert texts(exclude(find_images([copies])[0], find([folder], split="test"))) == {"y.png": None}


def test_a_hard_link_below_the_table_is_the_image_that_it_lists(folder):
    (folder / "copies").mkdir()
    os.link(folder / "images" / "c.png", folder / "copies" / "x.png")
    draw(folder / "copies" / "z.png", 99)
    assert texts(find_unlabelled([folder / "copies"])) == {"z.png": None}


def test_rows_that_disagree_about_hard_links_are_refused(folder):
    os.link(folder / "images" / "a.png", folder / "images" / "x.png")
    write(folder / "labels.csv", "file,text,split\na.png,one,train\nx.png,one,test\n")
    with pytest.raises(UserError, match="line 3 has the split 'test' for .*a.png, and .*line 2 has 'train'"):
        find([folder])


@pytest.mark.parametrize("name", ["a" * 300, "a" * 300 + ".csv", "deep/" * 1000, "b/" + "a" * 300 + "/c.png"])
def test_a_path_that_is_too_long_is_told(tmp_path, name):
    with pytest.raises(UserError, match="cannot be opened .File name too long.|does not exist"):
        find([tmp_path / name])
    samples, messages = find_images([tmp_path / name])
    assert not samples and len(messages) == 1
