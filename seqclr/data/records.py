"""Where images and their texts come from: folders, tables, labels in file names, `.gt.txt`, LMDB. Host wing.

A data set is a list of `Entry`: nothing is decoded to make it. `Records` gives random access to the decoded images.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqclr.data import images
from seqclr.errors import UserError

TABLES = {".csv": ",", ".tsv": "\t", ".jsonl": None}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One image that exists, and what is known of it."""

    source: str  # the data set's name, for results per source
    file: str  # a path, or a key where `store` is an LMDB
    text: str | None = None
    split: str | None = None
    store: str | None = None

    @property
    def name(self) -> str:
        """What a message calls it."""
        return f"{self.store}:{self.file}" if self.store else self.file

    def read_bytes(self) -> bytes:
        if self.store is None:
            return images.read_bytes(self.file)
        with _environment(self.store).begin() as transaction:
            data = transaction.get(self.file.encode())
        if data is None:
            raise UserError(f"{self.store} has no key {self.file}: its num-samples promises more than it holds")
        return bytes(data)


@dataclasses.dataclass(frozen=True)
class Record:
    """One decoded image `uint8 [H, W, 3]` with its entry and its place in the data set."""

    image: np.ndarray
    entry: Entry
    index: int


class Records(Sequence):
    """Random access to the images of some entries; decoding happens on access and may raise UserError."""

    def __init__(self, entries: Sequence[Entry]):
        self.entries = list(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index) -> Record:
        entry = self.entries[index]
        return Record(images.decode(entry.read_bytes(), entry.name), entry, index)


def find(paths: Sequence[str | Path], split: str | None = None, pattern: str | None = None) -> list[Entry]:
    """Entries with a text, of one or many sources.

    paths: folders of images, folders with `labels.csv`, CSV, TSV or JSONL files, LMDB folders.
    split: picks rows by the `split` column.
    pattern: takes the text from file names, such as `{text}.png` or `{text}_{any}.jpg`.
    Raises UserError for a path, row or column that is not there, and where nothing is left.
    """
    entries = []
    for name, path in _named(paths):
        found = list(_labelled(name, path, pattern))
        if split is not None:
            found = _of_split(found, split, path)
        without = [entry for entry in found if entry.text is None]
        if without:
            raise UserError(
                f"{without[0].name} has no text: {path} needs a labels.csv with the columns file,text, a .gt.txt beside "
                "each image, or a pattern for the file names (label_pattern='{text}.png')"
            )
        entries += found
    return entries


def find_unlabelled(paths: Sequence[str | Path], split: str | None = None) -> list[Entry]:
    """Every image below the paths, with or without a text.

    Rows whose split is `test` are left out unless `split` asks for them: what is measured must not be trained on,
    not even without its labels.
    """
    entries = []
    for name, path in _named(paths):
        found = list(_labelled(name, path, None))
        known = {Path(entry.file).resolve() for entry in found if entry.store is None}
        if split is None:
            if path.is_dir() and not _is_lmdb(path):
                found += [Entry(name, str(file)) for file in _walk(path) if file.resolve() not in known]
            found = [entry for entry in found if entry.split != "test"]
        else:
            found = _of_split(found, split, path)
        if not found:
            raise UserError(f"{path} holds no image to train on: give a folder of images ({_kinds()})")
        entries += found
    return entries


def _named(paths) -> list[tuple[str, Path]]:
    """Each path with a name of its own, the path's last part where that is enough."""
    if not paths:
        raise UserError("no data given: name a folder, a table or an LMDB with --data")
    named: dict[str, Path] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise UserError(f"{path} does not exist: check the path")
        name = path.resolve().name if path.is_dir() else path.resolve().parent.name
        number = 2
        while name in named:
            name, number = f"{name.rsplit('#')[0]}#{number}", number + 1
        named[name] = path
    return list(named.items())


def _labelled(name: str, path: Path, pattern: str | None):
    """The entries of one source; those of a folder without labels have no text."""
    if path.is_file():
        if path.suffix.lower() in TABLES:
            return _table(name, path)
        if path.suffix.lower() in images.SUFFIXES:
            return _folder(name, [path], pattern)
        raise UserError(f"{path} is neither a folder, an image nor a table ({', '.join(TABLES)})")
    if _is_lmdb(path):
        return _lmdb(name, path)
    if pattern is None and (path / "labels.csv").is_file():
        return _table(name, path / "labels.csv")
    files = _walk(path)
    if not files:
        raise UserError(f"{path} holds no image: give a folder of images ({_kinds()})")
    return _folder(name, files, pattern)


def _kinds() -> str:
    return ", ".join(sorted(suffix[1:] for suffix in images.SUFFIXES))


def _walk(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in images.SUFFIXES and file.is_file())


def _of_split(entries: list[Entry], split: str, path: Path) -> list[Entry]:
    found = [entry for entry in entries if entry.split == split]
    if not found:
        known = sorted({entry.split for entry in entries if entry.split})
        raise UserError(
            f"{path} has no rows of split '{split}': "
            + (f"it has {', '.join(known)}" if known else "it has no split column, so leave --split out")
        )
    return found


# tables


def _table(name: str, path: Path):
    rows = _jsonl_rows(path) if path.suffix.lower() == ".jsonl" else _csv_rows(path, TABLES[path.suffix.lower()])
    count = 0
    for where, row in rows:
        missing = [column for column in ("file", "text") if row.get(column) is None]
        if missing:
            known = ", ".join(str(key) for key in row) or "none"
            raise UserError(f"{where} has no column '{missing[0]}' (it has: {known}): the columns are file,text and perhaps split")
        count += 1
        file = _beside(path, row["file"])
        if file is None:
            raise UserError(f"{where} names {row['file']}, which is not in {path.parent} nor in its images folder")
        yield Entry(name, str(file), row["text"], row.get("split") or None)
    if not count:
        raise UserError(f"{path} has no rows: the columns are file,text and perhaps split")


def _csv_rows(path: Path, delimiter: str):
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:  # -sig: spreadsheets write a byte order mark
            reader = csv.DictReader(stream, delimiter=delimiter, strict=True)
            for row in reader:
                yield f"{path}, line {reader.line_num}", row
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num} is not a table row ({error})") from None


def _jsonl_rows(path: Path):
    with open(path, encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UserError(f"{path}, line {number} is not JSON ({error})") from None
            if not isinstance(row, dict):
                raise UserError(f"{path}, line {number} is not a JSON object with the keys file and text")
            yield f"{path}, line {number}", {key: None if value is None else str(value) for key, value in row.items()}


def _beside(table: Path, file: str) -> Path | None:
    for folder in (table.parent, table.parent / "images"):
        if file and (folder / file).is_file():
            return folder / file
    return None


# folders


def _folder(name: str, files: list[Path], pattern: str | None):
    expression = _expression(pattern) if pattern else None
    for file in files:
        truth = file.with_name(file.stem + ".gt.txt")
        if expression:
            match = expression.fullmatch(file.name)
            if not match:
                raise UserError(f"{file} does not fit the pattern '{pattern}': rename it or change the pattern")
            yield Entry(name, str(file), match["text"])
        elif truth.is_file():
            yield Entry(name, str(file), truth.read_text(encoding="utf-8-sig").strip("\r\n"))
        else:
            yield Entry(name, str(file))


def _expression(pattern: str) -> re.Pattern:
    if pattern.count("{text}") != 1:
        raise UserError(f"the pattern '{pattern}' needs {{text}} once, as in '{{text}}_{{any}}.png'")
    parts = {"{text}": "(?P<text>.+?)", "{any}": ".*?"}
    pieces = re.split(r"(\{text\}|\{any\})", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces), re.IGNORECASE)


# LMDB, as deep-text-recognition-benchmark lays it out


def _is_lmdb(path: Path) -> bool:
    return (path / "data.mdb").is_file()


@functools.lru_cache(maxsize=64)
def _environment(path: str):
    import lmdb

    try:
        return lmdb.open(path, readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise UserError(f"{path} is not an LMDB that can be opened ({error})") from None


def _lmdb(name: str, path: Path):
    with _environment(str(path)).begin() as transaction:
        count = transaction.get(b"num-samples")
        if count is None:
            raise UserError(f"{path} has no key num-samples: the layout is image-000000001, label-000000001, num-samples")
        for number in range(1, int(count) + 1):
            label = transaction.get(f"label-{number:09d}".encode())
            text = None if label is None else bytes(label).decode("utf-8")
            yield Entry(name, f"image-{number:09d}", text, store=str(path))
