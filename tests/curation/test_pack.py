"""What is packed is read as it was before, in any order and process; what is not whole is named."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqclr import cli
from seqclr.curation import pack
from seqclr.curation.check import check
from seqclr.data import images, shards
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find, find_images, find_unlabelled, survey
from seqclr.data.loader import Loader
from seqclr.errors import UserError
from tests.data.test_discovery import draw, store, write

pytest.importorskip("array_record")


@pytest.fixture
def sites(tmp_path) -> list[Path]:
    """Two sites with the same file names: the first with a test row and an image in no list, both with 5 labels."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / "one", tmp_path / "two"]
    for path in paths:
        (path / "images").mkdir(parents=True)
        for name in "abcde":
            Image.fromarray(rng.integers(0, 256, (16, 24, 3), np.uint8)).save(path / "images" / f"{name}.png")
        rows = [f"{name}.png,{path.name} {name}é,train\n" for name in "abcd"]
        write(path / "labels.csv", "".join(["file,text,split\n", *rows, 'e.png,"e, ""e""",test\n']))
    draw(paths[0] / "images" / "unlisted.png")
    return paths


@pytest.fixture
def packed(sites, tmp_path) -> Path:
    """The eleven images of both sites in three shards."""
    pack.pack(sites, tmp_path / "packed", shard_size=4)
    return tmp_path / "packed"


def facts(samples) -> list[tuple]:
    return [(e.source, e.file, e.text, e.split, e.read_bytes()) for e in samples]


def shard(folder: Path, number: int) -> Path:
    return sorted(folder.glob("*.arrayrecord"))[number]


# the same as before


def test_a_pack_is_read_as_what_was_packed(sites, packed):
    assert facts(find([packed])) == facts(find(sites))
    assert facts(find_unlabelled([packed])) == facts(find_unlabelled(sites))
    assert facts(survey([packed])[0]) == facts(survey(sites)[0])
    assert facts(find([packed], "test")) == facts(find(sites, "test"))
    assert facts(find_unlabelled([packed], "test")) == facts(find_unlabelled(sites, "test"))
    assert len(find_images([packed])[0]) == 11
    with pytest.raises(UserError, match="no rows of split 'dev': it has test, train"):
        find([packed], "dev")


def test_shards_have_names_that_tell_their_number(packed):
    names = [f"pack-0000{number}-of-00003.arrayrecord" for number in range(3)]
    assert sorted(path.name for path in packed.iterdir()) == [*names, "pack.json"]
    told = json.loads((packed / "pack.json").read_text())
    files = told.pop("files")
    assert told == {"version": 1, "count": 11, "shards": 3, "sources": ["one", "two"]}
    assert [facts["bytes"] for facts in files] == [shard(packed, number).stat().st_size for number in range(3)]
    assert files[1]["digest"] == hashlib.blake2b(shard(packed, 1).read_bytes(), digest_size=16).hexdigest()


def test_a_shard_is_read_by_itself(packed):
    assert facts(find_unlabelled([shard(packed, 2)], "train")) == facts(find([packed], "train"))[-2:]
    parts = [sample for number in range(3) for sample in survey([shard(packed, number)])[0]]
    assert parts == survey([packed])[0]


def test_what_is_packed_again_stays_as_it_was(packed, sites, tmp_path):
    pack.pack([packed], tmp_path / "again")
    assert facts(survey([tmp_path / "again"])[0]) == facts(survey(sites)[0])


def test_images_without_their_table_keep_its_splits(sites, tmp_path):
    pack.pack([sites[0] / "images"], tmp_path / "loose")
    assert [sample.split for sample in find([tmp_path / "loose"])] == [*["train"] * 4, "test"]
    assert len(find_unlabelled([tmp_path / "loose"])) == 5
    assert len(find_unlabelled([tmp_path / "loose", shard(tmp_path / "loose", 0)])) == 5


@pytest.mark.parametrize("written, split", [(" Test", "test"), ("val", "validation"), ("tset", None)])
def test_splits_of_older_packs_have_one_name_too(sites, packed, monkeypatch, written, split):
    rows = shards.rows

    def older(path):
        return ((shard, at, (*row[:3], written if row[3] == "test" else row[3])) for shard, at, row in rows(path))

    monkeypatch.setattr(shards, "rows", older)
    if split is None:
        with pytest.raises(UserError, match="e.png has the split 'tset', which is not known"):
            find_unlabelled([packed])
    else:
        assert len(find_unlabelled([packed])) == 9 and {e.split for e in find([packed])} == {"train", split}


def test_a_split_only(packed, sites, tmp_path):
    pack.pack(sites, tmp_path / "test", split="test")
    assert facts(find([tmp_path / "test"])) == facts(find(sites, "test"))


def test_labels_in_file_names_and_images_without_any(tmp_path):
    draw(tmp_path / "plain" / "x_1.png")
    pack.pack([tmp_path / "plain"], tmp_path / "labelled", label_pattern="{text}_{any}.png")
    assert [sample.text for sample in find([tmp_path / "labelled"])] == ["x"]
    pack.pack([tmp_path / "plain"], tmp_path / "unlabelled")
    assert [sample.text for sample in find_unlabelled([tmp_path / "unlabelled"])] == [None]
    with pytest.raises(UserError, match="has no text"):
        find([tmp_path / "unlabelled"])


def test_an_lmdb_is_packed(tmp_path):
    data = [draw(tmp_path / f"{gray}.png", gray).read_bytes() for gray in (10, 20)]
    words = store(tmp_path / "words", [(data[0], b"one"), (data[1], "zwölf".encode())])
    pack.pack([words], tmp_path / "packed")
    assert facts(find([tmp_path / "packed"])) == facts(find([words]))


def test_sources_of_packs_get_names_of_their_own(sites, packed):
    shutil.copytree(packed, packed.with_name("copy"))
    sources = [sample.source for sample in find([packed, sites[1], shard(packed.with_name("copy"), 0)])]
    assert list(dict.fromkeys(sources)) == ["one", "two", "two#2", "one#2"]


# batches


def noisy(record: dict, rng: np.random.Generator) -> dict:
    return {**record, "noise": rng.integers(0, 2**31, 3)}


@pytest.mark.parametrize("cache_bytes, workers", [(2**30, 0), (0, 0), (0, 2)])
def test_batches_are_those_of_the_folder(sites, packed, monkeypatch, cache_bytes, workers):
    monkeypatch.setattr("seqclr.data.dataset.CACHE_BYTES", cache_bytes)
    loaders = [
        Loader(ImageDataset(find_unlabelled(paths), 16, 32, "stretch"), noisy, 3, seed=1, processes=count)
        for paths, count in ((sites, 0), ([packed], workers))
    ]
    try:
        for _ in range(8):
            batch, other = map(next, loaders)
            assert batch.keys() == other.keys()
            for key in batch:
                np.testing.assert_array_equal(batch[key], other[key])
    finally:
        for loader in loaders:
            loader.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_reads_with_readers_of_its_own(packed):
    samples = find([packed])
    expected = [sample.read_bytes() for sample in samples]
    child = os.fork()
    if not child:
        os._exit([sample.read_bytes() for sample in samples] != expected)
    assert os.waitpid(child, 0)[1] == 0


# what is not whole


def change(packed: Path, **facts) -> Path:
    """Other facts in pack.json; None: one less."""
    told = {**json.loads((packed / "pack.json").read_text()), **facts}
    write(packed / "pack.json", json.dumps({name: fact for name, fact in told.items() if fact is not None}))
    return packed


def test_a_pack_without_digests_is_read(sites, packed):
    assert facts(find([change(packed, files=None)])) == facts(find(sites))
    assert not check([packed]).harmful


@pytest.mark.parametrize("content", [b"", b"no shard" * 20_000, None])
def test_a_shard_that_is_foreign_or_cut_short_is_named(packed, content):
    damaged = shard(packed, 1)
    damaged.write_bytes(damaged.read_bytes()[:-1000] if content is None else content)
    for path in (packed, damaged, change(packed, files=None)):
        with pytest.raises(UserError, match=f"{damaged.name} is damaged, cut short or (another|no shard).*again"):
            find([path])


def test_a_damaged_record_is_named_and_can_be_left_out(sites, packed, monkeypatch):
    monkeypatch.setattr("seqclr.data.dataset.CACHE_BYTES", 0)
    damaged, samples = shard(packed, 0), survey([packed])[0]
    content, image = damaged.read_bytes(), samples[1].read_bytes()
    shards._reader.cache_clear()
    damaged.write_bytes(content.replace(image[-200:], bytes(200)))
    with pytest.raises(UserError, match=f"{damaged.name} is damaged at record 1"):
        ImageDataset(samples, 16, 32, "stretch")
    dataset = ImageDataset(samples, 16, 32, "stretch", skip_bad=True)
    assert dataset.samples == [samples[0], *samples[2:]] and len(dataset.skipped) == 1


def test_a_shard_that_is_missing_is_named(packed):
    shard(packed, 1).unlink()
    with pytest.raises(UserError, match="pack-00001-of-00003.arrayrecord is missing"):
        find([packed])


def test_a_shard_of_another_pack_is_named(packed, tmp_path):
    pack.pack([tmp_path / "two"], tmp_path / "other", shard_size=2)
    shutil.copy(shard(tmp_path / "other", 1), shard(packed, 1))
    with pytest.raises(UserError, match="pack-00001-of-00003.arrayrecord is (another than|damaged, cut short or ano)"):
        find([packed])
    with pytest.raises(UserError, match="pack-00001-of-00003.arrayrecord is of another pack"):
        find([change(packed, files=None)])


def test_swapped_shards_are_named(packed):
    one, two, kept = shard(packed, 0), shard(packed, 1), packed / "kept"
    one.rename(kept)
    two.rename(one)
    kept.rename(two)
    sizes = one.stat().st_size, two.stat().st_size
    with pytest.raises(
        UserError, match="pack-00000-of-00003.arrayrecord is (another than|damaged, cut short or another)"
    ):
        find([packed])
    told = json.loads((packed / "pack.json").read_text())["files"]
    for row, size in zip(told, sizes):  # as if they were of one size
        row["bytes"] = size
    with pytest.raises(UserError, match="pack-00000-of-00003.arrayrecord is another than the one that was packed"):
        find([change(packed, files=told)])


def test_a_shard_that_has_changed_is_found_by_check(packed, capsys):
    assert cli.main(["check", str(packed)]) == 0
    changed = shard(packed, 2)
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1  # in no record
    changed.write_bytes(content)
    assert len(find([packed])) == 10
    assert cli.main(["check", str(packed)]) == 2
    assert f"{changed} has changed since it was packed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [{"shards": count} for count in (-1, 0, "3", 3.0, True, None, [], 10**9)]
    + [{"sources": names} for names in ("one", ["one", 2], None, {"one": 1}, 7, [])]
    + [
        {"files": files}
        for files in (7, "abc", [{}] * 3, [None] * 3, [], [{"bytes": "1", "index": "", "digest": ""}] * 3)
    ]
    + [{"count": count} for count in (12, -1, None, "11")]
    + [{"version": version} for version in (None, "1", [], 2)],
    ids=str,
)
def test_a_pack_json_of_other_types_or_numbers_is_named(packed, wrong):
    change(packed, **wrong)
    for path in ([packed], [packed / ".." / packed.name]):
        with pytest.raises(
            UserError, match="pack.json (is not what|counts other|is of version)|arrayrecord is missing"
        ):
            find(path)


def test_a_pack_json_that_is_too_deep_is_named(packed):
    write(packed / "pack.json", '{"version": ' + "[" * 100_000)
    with pytest.raises(UserError, match="pack.json is not what `seqclr pack` writes"):
        find([packed])


def write_index(folder: Path, index: object) -> Path:
    """A shard of one image with another index."""
    from array_record.python.array_record_module import ArrayRecordWriter

    folder.mkdir(exist_ok=True)
    writer = ArrayRecordWriter(str(folder / "x.arrayrecord"), "group_size:1,uncompressed")
    writer.write(b"image")
    writer.write(index if isinstance(index, bytes) else json.dumps(index).encode())
    writer.close()
    return folder / "x.arrayrecord"


@pytest.mark.parametrize(
    "rows",
    [[[0, "a.png", None]], [[0, "a.png", 5, None]], [[0, 7, None, None]], [["0", "a.png", None, None]], [7], ["abcd"],
     7, {"a": 1}, [],
     [[-1, "a.png", None, None]], [[2**40, "a.png", None, None]], [[True, "a.png", None, None]], None,
     [[0, "a.png", None, ["x"]]], [[0, "a.png", None, None]] * 2],
    ids=str,
)  # fmt: skip
def test_an_index_of_other_types_or_numbers_is_named(tmp_path, rows):
    index = {"version": 1, "sources": ["one"]}
    good = write_index(tmp_path / "good", {**index, "rows": [[0, "a.png", None, None]]})
    assert [sample.file for sample in find_unlabelled([good])] == ["a.png"]
    bad = write_index(tmp_path / "bad", {**index, "rows": rows})
    with pytest.raises(UserError, match="x.arrayrecord is damaged, cut short or no shard"):
        find_unlabelled([bad])


def test_another_version_and_a_foreign_pack_json_are_named(packed, monkeypatch):
    monkeypatch.setattr(shards, "VERSION", 2)
    for path in (packed, shard(packed, 0)):
        with pytest.raises(UserError, match="is of version 1 of packs.*pack the images again"):
            find([path])
    for content in ("{", "[]", "{}"):
        write(packed / "pack.json", content)
        with pytest.raises(UserError, match="pack.json is not what `seqclr pack` writes"):
            find([packed])


def test_without_array_record_one_sentence_tells_what_to_do(packed, sites, monkeypatch, tmp_path):
    shards._reader.cache_clear()
    monkeypatch.setitem(sys.modules, "array_record.python", None)
    for attempt in (lambda: find([packed]), lambda: pack.pack(sites, tmp_path / "new")):
        with pytest.raises(UserError, match="array_record, which is not installed"):
            attempt()
    assert not list(tmp_path.glob("new*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_a_pack_that_is_not_finished_leaves_nothing(sites, tmp_path, monkeypatch, error):
    opened = []

    def open_image(data, name):
        opened.append(name)
        if len(opened) == 7:
            raise error

    monkeypatch.setattr(images, "open_image", open_image)
    with pytest.raises(BaseException, match="disk full|^$"):
        pack.pack(sites, tmp_path / "new", shard_size=3)
    assert not list(tmp_path.glob("new*"))


# the command


def test_the_command(sites, tmp_path, capsys):
    write(sites[1] / "images" / "b.png", "no image")
    write(sites[1] / "images" / "d.png", "")
    command = ["pack", *map(str, sites), "--output", str(tmp_path / "new"), "--shard-size", "4"]
    assert cli.main(command) == 0
    told = capsys.readouterr()
    assert told.out == f"{tmp_path / 'new'}\n"
    assert "skipped: " in told.err and "b.png is not an image" in told.err
    assert told.err.endswith("9 images packed, 2 that cannot be opened were skipped\n")
    assert [Path(sample.file).stem for sample in find([tmp_path / "new"])] == [*"abcde", *"ace"]
    assert cli.main(command) == 2
    assert "new exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "rows, words, told",
    [
        ("a.png,x\n", [], "no image can be opened"),
        ("gone.png,x\n", [], "names gone.png"),
        ("a.png,x\n", ["--split", "test"], "no rows of split 'test'"),
        ("a.png,x\n", ["--shard-size", "0"], "at least 1"),
    ],
)
def test_mistakes_are_one_sentence_and_write_nothing(tmp_path, capsys, rows, words, told):
    write(tmp_path / "data" / "a.png", "no image")
    write(tmp_path / "data" / "labels.csv", f"file,text\n{rows}")
    assert cli.main(["pack", str(tmp_path / "data"), "--output", str(tmp_path / "new"), *words]) == 2
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
