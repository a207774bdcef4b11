"""Tables of images and texts (CSV, TSV, JSONL with the columns file, text, split): reading and writing. Host side."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seqclr import files
from seqclr.data import lmdbs, shards
from seqclr.data.samples import Fault, Sample
from seqclr.errors import UserError

DELIMITERS = {".csv": ",", ".tsv": "\t", ".jsonl": None}
LABELS = "labels.csv"  # in a folder: lists the images in this folder, in its folder `images` and below
LONGEST = 2**20  # characters of a line


# reading


def rows(path: Path) -> Iterator[tuple[Sample, str] | Fault]:
    """The rows of a table: samples without a source, each with its file and line for messages, or faults.

    Raises UserError for a table that cannot be read.
    """
    suffix = path.suffix.lower()
    for where, row in _jsonl_rows(path) if suffix == ".jsonl" else _csv_rows(path, DELIMITERS[suffix]):
        yield _sample(path, where, row)


@contextlib.contextmanager
def open_lines(path: Path):
    """The lines of a UTF-8 file, unchanged, without a byte order mark. Raises UserError where it cannot be read."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            yield _lines(path, stream)
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the file and who may read it") from None


def _lines(path: Path, stream) -> Iterator[str]:
    """A file without line breaks, such as a sparse file, would fill the memory as one line."""
    while line := stream.readline(LONGEST + 1):
        if len(line) > LONGEST:
            raise UserError(f"{path} has a line of more than {LONGEST} characters: it is no table and no text")
        yield line


def _csv_rows(path: Path, delimiter: str):
    """CSV fields are quoted as in RFC 4180; in TSV every character is literal."""
    how = {"quoting": csv.QUOTE_NONE} if delimiter == "\t" else {"strict": True}
    with open_lines(path) as lines:
        reader = csv.DictReader(lines, delimiter=delimiter, **how)
        try:
            double = _repeated(reader.fieldnames or ())
            if double:
                raise UserError(f"{path}, line {reader.line_num} has two columns '{double}': rename one of them")
            for row in reader:
                yield f"{path}, line {reader.line_num}", row
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.reader.line_num} is not a table row ({error})") from None


def _repeated(names: Iterable[str]) -> str | None:
    """A name that occurs more than once; empty names may."""
    return next((name for name, count in Counter(names).items() if name and count > 1), None)


def _jsonl_rows(path: Path):
    with open_lines(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{path}, line {number}", _json_row(line)


def _json_row(line: str) -> dict | str:
    """The row in a line of JSON, or the end of a sentence that says why there is none."""
    try:
        # only JSON arrays become lists, objects are tuples of pairs; numbers stay as written: 0.10 is not 0.1
        pairs = json.loads(line, object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        return "is not a JSON object with the keys file and text: it is nested too deeply"
    except ValueError as error:
        return f"is not JSON ({error})"
    if not isinstance(pairs, tuple):
        return "is not a JSON object with the keys file and text"
    double, row = _repeated(name for name, _ in pairs), dict(pairs)
    if double:
        return f"has two keys '{double}': rename one of them"
    for name in ("file", "text", "split"):
        if isinstance(row.get(name), (bool, list, tuple)):
            return f"has a '{name}' that is neither text nor a number"
    return {name: None if value is None else str(value) for name, value in row.items()}


def _sample(table: Path, where: str, row: dict | str) -> tuple[Sample, str] | Fault:
    if isinstance(row, str):
        return Fault(where, f"{where} {row}")
    missing = [column for column in ("file", "text") if row.get(column) is None]
    if missing:
        problem = f"ends before its '{missing[0]}'"
        if missing[0] not in row:
            problem = f"has no column '{missing[0]}' (it has: {', '.join(map(str, row)) or 'none'})"
        return Fault(where, f"{where} {problem}: the columns are file,text and perhaps split")
    if any(row.get(None, ())):
        return Fault(where, f"{where} has more fields than columns: put a text with a delimiter in double quotes")
    found = find_image(table, row["file"])
    if found is None:
        named = row["file"] if row["file"] and row["file"].isprintable() else repr(row["file"])
        reason = f"{where} names {named}, which is not in {table.parent} nor in its images folder"
        return Fault(str(table.parent / row["file"]), reason, missing=True)
    return dataclasses.replace(found, text=row["text"], split=row.get("split")), where


def find_image(table: Path, name: str) -> Sample | None:
    """The image that a row names: a file, or a record of a store as `path_for` writes it; without text and split."""
    file = find_file(table, name)
    return _find_record(table, name) if file is None else Sample("", file)


def _find_record(table: Path, name: str) -> Sample | None:
    store, _, key = name.rpartition(":")
    for path in (table.parent / each for each in _spellings(store)) if store else ():
        if lmdbs.is_lmdb(path) and lmdbs.has_image(str(path), key):
            return Sample("", key, store=str(path))
        if path.suffix == shards.SUFFIX and os.path.isfile(path) and re.fullmatch("[0-9]{1,9}", key):
            packed = shards.packed_files(str(path))
            if int(key) < len(packed):
                return Sample("", packed[int(key)], store=str(path), index=int(key))
    return None


def find_file(table: Path, file: str) -> str | None:
    """The file that a row names, also where the row has backslashes or another Unicode normal form."""
    for name in _spellings(file):
        for folder in (table.parent, table.parent / "images"):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return str(Path(path))
    return None


def _spellings(file: str) -> Iterator[str]:
    slashed = file.replace("\\", "/")
    yield from (file, slashed, unicodedata.normalize("NFC", slashed), unicodedata.normalize("NFD", slashed))


# writing


def check_can_write(path: Path, samples: Sequence[Sample]) -> None:
    """Raises UserError where a new CSV file that lists these samples cannot be written at the path."""
    if path.suffix.lower() != ".csv":
        raise UserError(f"{path} does not end in .csv: the list is a CSV file")
    if files.exists(path):
        raise UserError(f"{path} exists already: give the list another name")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path} cannot be written: its folder does not exist")
    files.check_can_make(path)
    odd = next((sample for sample in samples if not files.is_utf8("".join(_fields(path, sample)))), None)
    if odd:
        raise UserError(f"{odd.name} has a name that is not UTF-8, so a CSV file cannot list it: rename it")


def write(path: Path, samples: Sequence[Sample]) -> None:
    """Writes a CSV file with the columns file, text, split, atomically. Raises files.NotWritten."""
    with files.atomic_write(path) as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "text", "split"])
        writer.writerows(_fields(path, sample) for sample in samples)


def _fields(path: Path, sample: Sample) -> list[str]:
    return [path_for(path, sample), sample.text or "", sample.split or ""]


def path_for(path: Path, sample: Sample) -> str:
    """How a table at the path names an image: by its file, or as LMDB:KEY or SHARD:INDEX.

    Relative to the table where the file or store is below its folder, so that both can be moved together.
    """
    file, folder = Path(sample.store or sample.file).absolute(), path.absolute().parent
    name = str(file.relative_to(folder) if file.is_relative_to(folder) else file)
    if sample.store is None:
        return name
    return f"{name}:{sample.file if sample.index is None else sample.index}"
