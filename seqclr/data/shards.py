"""Packed images: a folder of ArrayRecord files, a hundred thousand images each, read in any order. Host wing.

    pack.json                            {"version": 1, "count": images, "shards": files, "sources": [name, ...]}
    pack-00000-of-00007.arrayrecord      a record for each image, its encoded bytes as they were, and a last one, JSON:
                                         {"version": 1, "sources": [name, ...], "rows": [row, ...]}

A row is `[number of the source, file, text or null, split or null]`. So a shard is whole by itself, and what it holds
is known from one record. The format is written and read here and nowhere else.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seqclr.errors import UserError

SUFFIX = ".arrayrecord"
PACK = "pack.json"
VERSION = 1
SHARD_SIZE = 100_000  # images
OPEN = 512  # shards of a process: most systems allow it 1,024 files
Row = tuple[int, str, str | None, str | None]


def is_pack(path: Path) -> bool:
    """Whether it is a packed folder or one shard of it."""
    return (path / PACK).is_file() or (path.suffix == SUFFIX and path.is_file())


# writing


def write(folder: Path, images: Iterable[tuple[Row, bytes]], sources: Sequence[str], size: int) -> int:
    """Writes a pack into a folder, `size` images a shard, pack.json last; returns how many images there were.

    Raises OSError where the disk is full, UserError where array_record is not installed.
    """
    counts = []
    for number, group in itertools.groupby(enumerate(images), lambda numbered: numbered[0] // size):
        counts.append(_write_shard(folder / str(number), (image for _, image in group), sources))
    for number in range(len(counts)):
        (folder / str(number)).rename(folder / _shard_name(number, len(counts)))
    facts = {"version": VERSION, "count": sum(counts), "shards": len(counts), "sources": list(sources)}
    (folder / PACK).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return sum(counts)


def _shard_name(number: int, shards: int) -> str:
    return f"pack-{number:05d}-of-{shards:05d}{SUFFIX}"


def _write_shard(path: Path, images: Iterable[tuple[Row, bytes]], sources: Sequence[str]) -> int:
    """Returns how many images there were."""
    rows = []
    try:
        writer = _array_record().ArrayRecordWriter(str(path), "group_size:1,uncompressed")  # images are compressed
        for row, data in images:
            writer.write(data)
            rows.append(row)
        writer.write(json.dumps({"version": VERSION, "sources": list(sources), "rows": rows}).encode())
        writer.close()
    except RuntimeError as error:
        raise OSError(f"{path} cannot be written ({error})") from None
    return len(rows)


# reading


def sources(path: Path) -> list[str]:
    """The names of the data sets in a pack or shard; Row counts in this list."""
    return _facts(path / PACK)["sources"] if path.is_dir() else _listing(str(path))["sources"]


def rows(path: Path) -> Iterator[tuple[str, int, Row]]:
    """The shard, the place in it and the row of every image of a pack or shard.

    Raises UserError for a shard that is missing, damaged or of another pack.
    """
    known = sources(path)
    for shard in _shards(path):
        listing = _listing(shard)
        if listing["sources"] != known:
            raise UserError(f"{shard} is of another pack than {path / PACK}: copy the whole folder again or pack again")
        for place, (source, file, text, split) in enumerate(listing["rows"]):
            yield shard, place, (source, file, text, split and sys.intern(split))


def read(shard: str, place: int) -> bytes:
    """The encoded image at a place of a shard; safe in threads and after a fork."""
    try:
        return _reader(shard, os.getpid()).read(place, place + 1)[0]  # a range: a list of places takes far longer
    except (RuntimeError, IndexError):
        raise UserError(f"{shard} is damaged at record {place}: copy it again or pack again") from None


def _shards(path: Path) -> list[str]:
    if not path.is_dir():
        return [str(path)]
    count = _facts(path / PACK)["shards"]
    return [str(path / _shard_name(number, count)) for number in range(count)]


def _facts(file: Path) -> dict:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        version, _ = facts["version"], (facts["sources"], facts["shards"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{file} is not what `seqclr pack` writes: copy it again or pack again") from None
    _check_version(file, version)
    return facts


def _listing(shard: str) -> dict:
    try:
        reader = _reader(shard, os.getpid())
        count = reader.num_records()
        listing = json.loads(reader.read(count - 1, count)[0])
        version, _ = listing["version"], (listing["sources"], listing["rows"])
    except (RuntimeError, IndexError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{shard} is damaged, cut short or no shard that `seqclr pack` wrote: copy it again or pack again"
        ) from None
    _check_version(shard, version)
    return listing


def _check_version(file: str | Path, version: int) -> None:
    if version != VERSION:
        raise UserError(
            f"{file} is of version {version} of packs and this seqclr reads version {VERSION}: pack the images again "
            "or install the seqclr that wrote it"
        )


@functools.lru_cache(maxsize=OPEN)
def _reader(shard: str, process: int):
    """A reader of its own for every process: what a fork inherits may be locked by a thread that it lacks."""
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
