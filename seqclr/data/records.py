"""Where images and their texts come from: folders, tables, labels in file names, `.gt.txt`, LMDB, packs. Host wing.

A data set is a list of `Entry`: nothing is decoded to make it. data/loader.py gives random access to the images.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seqclr.data import images, lmdbs, shards
from seqclr.errors import UserError

TABLES = {".csv": ",", ".tsv": "\t", ".jsonl": None}


@dataclasses.dataclass(frozen=True, slots=True)  # slots: there are many of them
class Entry:
    """One image that exists, and what is known of it."""

    source: str  # the data set's name, for results per source
    file: str  # a path; a key where `store` is an LMDB; the path of what was packed where it is a shard
    text: str | None = None
    split: str | None = None
    store: str | None = None
    place: int | None = None  # in a shard; of an animation, without a store, the number of the frame

    @property
    def name(self) -> str:
        """What a message calls it."""
        if self.store is None and self.place is not None:
            return f"{self.file}, frame {self.place}"
        return f"{self.store}:{self.file}" if self.store else self.file

    def read_bytes(self) -> bytes:
        if self.store is None:
            return images.read_bytes(self.file) if self.place is None else images.read_frame(self.file, self.place)
        if self.place is not None:
            return shards.read(self.store, self.place)
        return lmdbs.read(self.store, self.file)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row or file that gives no entry."""

    file: str  # the file that is meant
    reason: str  # one sentence for a UserError
    missing: bool = False  # the file is not there


def find(paths: Sequence[str | Path], split: str | None = None, pattern: str | None = None) -> list[Entry]:
    """Entries with a text, of one or many sources.

    paths: folders of images, folders with `labels.csv`, CSV, TSV or JSONL files, LMDB folders, packs or shards of them.
    split: picks rows by the `split` column.
    pattern: takes the text from file names, such as `{text}.png` or `{text}_{any}.jpg`.
    Raises UserError for a path, row or column that is not there, and where nothing is left.
    """
    entries = []
    for names, path in _named(paths):
        found = _faultless(_labelled(names, path, pattern))
        if split is not None:
            found = _of_split(found, split, path)
        without = [entry for entry in found if entry.text is None]
        if without:
            raise UserError(
                f"{without[0].name} has no text: {path} needs a labels.csv with the columns file,text, a .gt.txt "
                "beside each image, or a pattern for the file names (label_pattern='{text}.png')"
            )
        entries += found
    return entries


def find_unlabelled(paths: Sequence[str | Path], split: str | None = None) -> list[Entry]:
    """Every image below the paths, with or without a text.

    Rows whose split is `test` are left out unless `split` asks for them: what is measured must not be trained on,
    not even without its labels.
    """
    entries = []
    for names, path in _named(paths):
        if split is None:
            found = [entry for entry in _faultless(_all(names, path, None)) if entry.split != "test"]
        else:
            found = _of_split(_faultless(_labelled(names, path, None)), split, path)
        if not found:
            raise UserError(f"{path} holds no image to train on: give a folder of images ({_kinds()})")
        entries += found
    return entries


def find_images(paths: Sequence[str | Path]) -> tuple[list[Entry], list[str]]:
    """The images of files and folders as they are given, and a message for each path that is neither."""
    entries, messages = [], []
    for path in map(Path, paths):
        if shards.is_pack(path):
            entries += _pack(shards.sources(path), path)
        elif path.is_dir():
            entries += [Entry(path.name, str(file)) for file in _walk(path)]
        elif path.is_file():
            entries.append(Entry(path.parent.name, str(path)))
        else:
            messages.append(f"{path} does not exist: check the path")
    return entries, messages


def survey(paths: Sequence[str | Path], pattern: str | None = None) -> tuple[list[Entry], list[Fault]]:
    """Every image of the paths, with or without a text and of any split, and every row or file that gives none."""
    entries, faults = [], []
    for names, path in _named(paths):
        found = _all(names, path, pattern)
        entries += [item for item in found if isinstance(item, Entry)]
        faults += [item for item in found if isinstance(item, Fault)]
    return entries, faults


def _faultless(items: Iterable[Entry | Fault]) -> list[Entry]:
    entries = []
    for item in items:
        if isinstance(item, Fault):
            raise UserError(item.reason)
        entries.append(item)
    return entries


def _all(names: list[str], path: Path, pattern: str | None) -> list[Entry | Fault]:
    """The entries of a path, and after them the images below a folder that are not listed."""
    if shards.is_pack(path):
        return _pack(names, path)
    listed = list(_labelled(names, path, pattern))
    if path.is_file() or lmdbs.is_lmdb(path):
        return listed
    known = {Path(item.file).resolve() for item in listed}
    return listed + [Entry(names[0], str(file)) for file in _walk(path) if file.resolve() not in known]


def _named(paths) -> list[tuple[list[str], Path]]:
    """Each path with the name of its source, its last part, or those in a pack; numbered where a name comes again."""
    if not paths:
        raise UserError("no data given: name a folder, a table, an LMDB or a pack with --data")
    taken: set[str] = set()
    named = []
    for path in (source for given in paths for source in _sources(Path(given))):
        folder = path.resolve() if path.is_dir() else path.resolve().parent
        names = shards.sources(path) if shards.is_pack(path) else [folder.name]
        named.append(([_free(name, taken) for name in names], path))
    return named


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number where it is taken; from now on it is."""
    number = 2
    while name in taken:
        name, number = f"{name.rsplit('#')[0]}#{number}", number + 1
    taken.add(name)
    return name


def _sources(path: Path) -> list[Path]:
    """The path, and every folder below it that has a labels.csv of its own."""
    if not path.exists():
        raise UserError(f"{path} does not exist: check the path")
    nested = _nested(path)
    return nested if nested and not (path / "labels.csv").is_file() and not _walk(path) else [path, *nested]


def _nested(path: Path) -> list[Path]:
    return sorted(table.parent for table in path.rglob("labels.csv") if table.parent != path) if path.is_dir() else []


def _labelled(names: list[str], path: Path, pattern: str | None) -> Iterable[Entry | Fault]:
    """The entries of one path; those of a folder or a pack without labels have no text."""
    if shards.is_pack(path):
        entries = _pack(names, path)
        return [entry for entry in entries if entry.text is not None] or entries
    name = names[0]
    if path.is_file():
        if path.suffix.lower() in TABLES:
            return _table(name, path)
        if path.suffix.lower() in images.SUFFIXES:
            return _folder(name, [path], pattern)
        raise UserError(f"{path} is neither a folder, an image nor a table ({', '.join(TABLES)})")
    if lmdbs.is_lmdb(path):
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
    """The images below a folder, less those of folders with a labels.csv of their own: these are other sources."""
    files = (file for file in folder.rglob("*") if file.suffix.lower() in images.SUFFIXES and file.is_file())
    nested = set(_nested(folder))
    return sorted(file for file in files if nested.isdisjoint(file.parents))


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


def _table(name: str, path: Path) -> Iterator[Entry | Fault]:
    rows = _jsonl_rows(path) if path.suffix.lower() == ".jsonl" else _csv_rows(path, TABLES[path.suffix.lower()])
    empty = True
    for where, row in rows:
        empty = False
        yield _row(name, path, where, row)
    if empty:
        raise UserError(f"{path} has no rows: the columns are file,text and perhaps split")


def _row(name: str, table: Path, where: str, row: dict | str) -> Entry | Fault:
    if isinstance(row, str):
        return Fault(where, f"{where} {row}")
    missing = [column for column in ("file", "text") if row.get(column) is None]
    if missing:
        lack = f"ends before its '{missing[0]}'"
        if missing[0] not in row:
            lack = f"has no column '{missing[0]}' (it has: {', '.join(map(str, row)) or 'none'})"
        return Fault(where, f"{where} {lack}: the columns are file,text and perhaps split")
    if any(row.get(None, ())):
        return Fault(where, f"{where} has more fields than columns: put a text with a delimiter in double quotes")
    file = _beside(table, row["file"])
    if file is None:
        reason = f"{where} names {row['file']}, which is not in {table.parent} nor in its images folder"
        return Fault(str(table.parent / row["file"]), reason, missing=True)
    return Entry(name, str(file), row["text"], row.get("split") or None)


def _csv_rows(path: Path, delimiter: str):
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:  # -sig: spreadsheets write a byte order mark
            reader = csv.DictReader(stream, delimiter=delimiter, strict=True)
            for row in reader:
                yield f"{path}, line {reader.line_num}", row
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.reader.line_num} is not a table row ({error})") from None


def _jsonl_rows(path: Path):
    try:
        with open(path, encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield f"{path}, line {number}", _json_row(line)
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8") from None


def _json_row(line: str) -> dict | str:
    """The row of a line, or what is wrong with it."""
    try:
        row = json.loads(line)
    except ValueError as error:
        return f"is not JSON ({error})"
    if not isinstance(row, dict):
        return "is not a JSON object with the keys file and text"
    return {key: None if value is None else str(value) for key, value in row.items()}


def _beside(table: Path, file: str) -> Path | None:
    for folder in (table.parent, table.parent / "images"):
        if file and os.path.isfile(folder / file):  # Path.is_file raises for names that are too long
            return folder / file
    return None


# folders


def _folder(name: str, files: list[Path], pattern: str | None) -> Iterator[Entry | Fault]:
    expression = _expression(pattern) if pattern else None
    for file in files:
        truth = file.with_name(file.stem + ".gt.txt")
        if expression:
            match = expression.fullmatch(file.name)
            if match:
                yield Entry(name, str(file), match["text"])
            else:
                reason = f"{file} does not fit the pattern '{pattern}': rename it or change the pattern"
                yield Fault(str(file), reason)
        elif truth.is_file():
            try:
                yield Entry(name, str(file), truth.read_text(encoding="utf-8-sig").strip("\r\n"))
            except UnicodeDecodeError:
                yield Fault(str(file), f"{truth} is not UTF-8 text: save it as UTF-8")
        else:
            yield Entry(name, str(file))


def _expression(pattern: str) -> re.Pattern:
    if pattern.count("{text}") != 1:
        raise UserError(f"the pattern '{pattern}' needs {{text}} once, as in '{{text}}_{{any}}.png'")
    parts = {"{text}": "(?P<text>.+?)", "{any}": ".*?"}
    pieces = re.split(r"(\{text\}|\{any\})", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces), re.IGNORECASE)


# LMDB


def _lmdb(name: str, path: Path) -> Iterator[Entry | Fault]:
    store = str(path)
    for key, text, wrong in lmdbs.samples(store):
        yield Entry(name, key, text, store=store) if wrong is None else Fault(f"{store}:{key}", wrong)


# packs


def _pack(names: list[str], path: Path) -> list[Entry]:
    """Every image of a pack; names: of its sources."""
    return [
        Entry(names[source], file, text, split, shard, place)
        for shard, place, (source, file, text, split) in shards.rows(path)
    ]
