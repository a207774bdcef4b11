"""Packs: folders of ArrayRecord files with up to 100,000 images each, for random access. Host side.

    pack.json                            {"version": 1, "count": images, "shards": files, "sources": [name, ...],
                                          "files": [facts, ...]}
    pack-00000-of-00007.arrayrecord      a record for each image, its encoded bytes, and a last one, JSON:
                                         {"version": 1, "sources": [name, ...], "rows": [row, ...]}

A row is `[index of the source, file, text or null, split or null]`. So a shard can be used alone, and one record lists
its content. The facts of a file are `{"bytes": size, "index": digest of its last record, "digest": that of the file}`:
listing a pack compares the first two, `seqclr check` the last. The first packs have none.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seqclr.data.images import check_bytes
from seqclr.errors import UserError
from seqclr.files import NotWritten, writing

SUFFIX = ".arrayrecord"
PACK = "pack.json"
VERSION = 1
SHARD_SIZE = 100_000  # images
OPEN = 512  # shards that a process keeps open: most systems allow 1,024 files
AGAIN = "copy it again or pack again"
Row = tuple[int, str, str | None, str | None]


def is_pack(path: Path) -> bool:
    """Whether the path is a pack or one of its shards."""
    return os.path.isfile(path / PACK) or (path.suffix == SUFFIX and os.path.isfile(path))


# writing


def write(folder: Path, images: Iterable[tuple[Row, bytes]], sources: Sequence[str], size: int) -> int:
    """Writes a pack into a folder, `size` images a shard, pack.json last. Returns the number of images.

    Raises NotWritten where the disk is full, UserError where array_record is not installed.
    """
    count, files = 0, []
    for number, group in itertools.groupby(enumerate(images), lambda numbered: numbered[0] // size):
        images_in, facts = _write_shard(folder / str(number), (image for _, image in group), sources)
        count += images_in
        files.append(facts)
    for number in range(len(files)):
        (folder / str(number)).rename(folder / _shard_name(number, len(files)))
    pack = {"version": VERSION, "count": count, "shards": len(files), "sources": list(sources), "files": files}
    with writing(folder / PACK):
        (folder / PACK).write_text(json.dumps(pack, indent=1) + "\n", encoding="utf-8")
    return count


def _shard_name(number: int, shards: int) -> str:
    return f"pack-{number:05d}-of-{shards:05d}{SUFFIX}"


def _write_shard(path: Path, images: Iterable[tuple[Row, bytes]], sources: Sequence[str]) -> tuple[int, dict]:
    """Returns the number of images and the facts of the file."""
    rows = []
    try:
        writer = _array_record().ArrayRecordWriter(str(path), "group_size:1,uncompressed")  # images are compressed
        for row, data in images:
            writer.write(data)
            rows.append(row)
        index = json.dumps({"version": VERSION, "sources": list(sources), "rows": rows}).encode()
        writer.write(index)
        writer.close()
    except RuntimeError as error:
        raise NotWritten(f"{path} cannot be written ({error})") from None
    return len(rows), {"bytes": path.stat().st_size, "index": _digest(index), "digest": _digest_of(path)}


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _digest_of(path: str | Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


# reading


def sources(path: Path) -> list[str]:
    """The names of the data sets in a pack or shard; the first field of a Row is an index of this list."""
    return _pack(path / PACK)["sources"] if path.is_dir() else _listing(str(path))["sources"]


def rows(path: Path) -> Iterator[tuple[str, int, Row]]:
    """The shard, the index in it and the row of every image of a pack or shard.

    Raises UserError for a shard that is missing, damaged, of another pack or renamed.
    """
    known, count = sources(path), 0
    for shard, facts in _shards(path):
        listing = _listing(shard, facts)
        if listing["sources"] != known:
            raise UserError(f"{shard} is of another pack than {path / PACK}: copy the whole folder again or pack again")
        for index, (source, file, text, split) in enumerate(listing["rows"]):
            yield shard, index, (source, file, text, split and sys.intern(split))
        count += len(listing["rows"])
    if path.is_dir() and count != _pack(path / PACK)["count"]:
        raise UserError(f"{path / PACK} counts other images than the {count} of its shards: {AGAIN}")


@functools.lru_cache(maxsize=8)
def packed_files(shard: str) -> list[str]:
    """The file that was packed, of every image of a shard."""
    return [row[1] for row in _listing(shard)["rows"]]


def changed(path: Path) -> Iterator[str]:
    """Reads all of a pack and yields each shard whose bytes have changed since it was packed.

    Shards of the first packs, which have no digests, and single shards are not compared.
    """
    for shard, facts in _shards(path):
        if facts and _digest_of(shard) != facts["digest"]:
            yield shard


def read(shard: str, index: int) -> bytes:
    """The encoded image at an index of a shard; safe in threads and after a fork."""
    try:
        data = _reader(shard, os.getpid()).read(index, index + 1)[0]  # a range: a list of indices takes far longer
    except (RuntimeError, IndexError):
        raise UserError(f"{shard} is damaged at record {index}: {AGAIN}") from None
    check_bytes(len(data), f"{shard}, record {index}")
    return data


def _shards(path: Path) -> Iterator[tuple[str, dict | None]]:
    """The shards of a pack, or the given one, and their facts."""
    if not path.is_dir():
        yield str(path), None
        return
    pack = _pack(path / PACK)
    for number in range(pack["shards"]):
        yield str(path / _shard_name(number, pack["shards"])), pack["files"][number] if "files" in pack else None


def _pack(file: Path) -> dict:
    """The content of a pack.json."""
    try:
        check_bytes(file.stat().st_size, str(file))
        pack = json.loads(file.read_text(encoding="utf-8"))
        _check_version(file, pack["version"])
        count = pack["shards"]
        whole = _is_count(pack["count"]) and _is_count(count) and count > 0 and _are_names(pack["sources"])
        if "files" in pack:
            whole = whole and len(pack["files"]) == count and all(map(_are_facts, pack["files"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise UserError(f"{file} is not what `seqclr pack` writes: {AGAIN}")
    return pack


def _listing(shard: str, facts: dict | None = None) -> dict:
    """The last record of a shard. Raises UserError where it does not match the facts."""
    if facts and os.path.isfile(shard) and (size := os.path.getsize(shard)) != facts["bytes"]:
        raise UserError(f"{shard} is damaged, cut short or another: {size} bytes, not {facts['bytes']}: {AGAIN}")
    try:
        reader = _reader(shard, os.getpid())
        count = reader.num_records()
        index = reader.read(count - 1, count)[0]
        listing = json.loads(index)
        _check_version(shard, listing["version"])
        names, found = listing["sources"], listing["rows"]
        whole = _are_names(names) and len(found) == count - 1 and all(_is_row(row, len(names)) for row in found)
    except (RuntimeError, LookupError, ValueError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise UserError(f"{shard} is damaged, cut short or no shard that `seqclr pack` wrote: {AGAIN}")
    if facts and _digest(index) != facts["index"]:
        raise UserError(f"{shard} is another than the one that was packed under this name: {AGAIN}")
    return listing


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _are_names(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(name, str) for name in value)


def _are_facts(value: dict) -> bool:
    return _is_count(value["bytes"]) and _are_names([value["index"], value["digest"]])


def _is_row(row: list, sources: int) -> bool:
    source, file, text, split = row
    return (
        type(source) is int
        and 0 <= source < sources
        and isinstance(file, str)
        and (text is None or isinstance(text, str))
        and (split is None or isinstance(split, str))
    )


def _check_version(file: str | Path, version: int) -> None:
    if version != VERSION:
        raise UserError(
            f"{file} is of version {version} of packs and this seqclr reads version {VERSION}: pack the images again "
            "or install the seqclr that wrote it"
        )


@functools.lru_cache(maxsize=OPEN)
def _reader(shard: str, process: int):
    """A reader for each process: one inherited by a fork may be locked by a thread that the fork lacks."""
    if not os.path.isfile(shard):
        raise UserError(f"{shard} is missing: copy the whole folder again or pack again")
    options = "readahead_buffer_size:0,max_parallelism:0"  # for reading in any order
    return _array_record().ArrayRecordReader(shard, options, file_reader_buffer_size=2**15)


def _array_record():
    try:
        from array_record.python import array_record_module
    except ImportError:
        raise UserError(
            "packs need the package array_record, which is not installed and does not exist for Windows: "
            "use a folder or an LMDB instead"
        ) from None
    return array_record_module
