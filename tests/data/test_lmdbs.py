"""An LMDB that is cut short, damaged or promises too much is one sentence, and never the end of the process."""

import struct
from pathlib import Path

import pytest

from seqclr import cli
from seqclr.data import images, lmdbs
from seqclr.data.discovery import find, find_unlabelled, survey
from seqclr.errors import UserError
from tests.data.test_discovery import draw, store


@pytest.fixture
def words(tmp_path) -> Path:
    data = draw(tmp_path / "a.png").read_bytes()
    return store(tmp_path / "words", [(data + bytes(5000), f"{number}".encode()) for number in range(30)])


def test_cut_short_anywhere_is_reported(words):
    file = words / "data.mdb"
    whole = file.read_bytes()
    for size in (0, 100, 4096, 5000, 8192, 12288, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(
            UserError, match="words is (not an LMDB that can be opened|cut short: data.mdb has [0-9]+ of)"
        ):
            find([words])
    file.write_bytes(whole)
    assert len(find([words])) == 30


@pytest.mark.parametrize("pages", [2**40, 2**62, 2**64 - 1])
def test_images_that_the_file_cannot_have_are_reported(words, pages):
    file = words / "data.mdb"
    content = bytearray(file.read_bytes())
    for page in (0, 1):  # the last page's number is in both heads of the file, after 16 + 24 + 2 * 48 bytes
        struct.pack_into("<Q", content, page * 4096 + 136, pages)
    file.write_bytes(content)
    with pytest.raises(UserError, match="words is (not an LMDB|cut short)"):
        find([words])


@pytest.mark.parametrize("count", [b"2000000000", b"9" * 5000, b"31 ", b"-1", "２".encode(), b"1e3", b""])
def test_a_count_that_is_none_or_too_many_is_reported(tmp_path, count):
    path = store(tmp_path / "words", [(b"image", b"one")], count=count or b" ")
    for read in (find, find_unlabelled, survey):
        with pytest.raises(UserError, match="words has (num-samples [0-9]+ and 3 keys in all|no number)"):
            read([path])


def test_a_missing_label_is_a_fault(tmp_path, capsys):
    data = [draw(tmp_path / f"{gray}.png", gray).read_bytes() for gray in (10, 20, 30)]
    path = store(tmp_path / "words", [(data[0], b"one"), (data[1], None), (data[2], b"three")])
    samples, faults = survey([path])
    assert [sample.text for sample in samples] == ["one", "three"]
    assert [fault.file for fault in faults] == [f"{path}:image-000000002"]
    with pytest.raises(UserError, match="words has no label-000000002, though other images have labels"):
        find([path])
    assert cli.main(["check", str(path)]) == 2
    assert "no label-000000002" in capsys.readouterr().out


def test_values_have_limits_too(words):
    sample = find([words])[0]
    images.set_limits(images.Limits(max_bytes=5000))
    with pytest.raises(UserError, match="words:image-000000001 has [0-9]+ bytes, max_bytes are 5000"):
        sample.read_bytes()


def test_what_the_library_raises_is_reported(words, monkeypatch):
    import lmdb

    samples = find([words])
    environment = lmdbs._environment(str(words))

    class Damaged:
        stat = environment.stat

        def begin(self, **options):
            raise lmdb.CorruptedError("MDB_CORRUPTED")

    monkeypatch.setattr(lmdbs, "_environment", lambda store: Damaged())
    for attempt in (samples[0].read_bytes, lambda: find([words])):
        with pytest.raises(UserError, match="words is damaged .*CORRUPTED.*: copy it again"):
            attempt()
