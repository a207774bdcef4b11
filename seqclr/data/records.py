"""Where images and their texts come from: folders, tables, labels in file names, `.gt.txt`, LMDB, packs. Host side.

A data set is a list of `Entry`: nothing is decoded to make it. data/loader.py gives random access to the images.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import hashlib
import itertools
import json
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seqclr.data import images, labels, lmdbs, shards
from seqclr.errors import UserError

TABLES = {".csv": ",", ".tsv": "\t", ".jsonl": None}
LONGEST = 2**20  # characters of a line
TABLE = "labels.csv"  # in a folder: of the images beside it, in its folder `images` and below
SPLITS = {"train": "train", "test": "test", **dict.fromkeys(("validation", "valid", "val"), "validation")}
HELD_OUT = ("test", "validation")  # not trained on unless they are asked for
HIDDEN = ("__MACOSX", "@eaDir")  # what systems keep beside images, as in folders whose name starts with a dot


@dataclasses.dataclass(frozen=True, slots=True)  # slots: there are many of them
class Sample:
    """One image that exists, and what is known of it."""

    source: str  # the data set's name, for results per source
    file: str  # a path; a key where `store` is an LMDB; the path of what was packed where it is a shard
    text: str | None = None
    split: str | None = None
    store: str | None = None
    index: int | None = None  # in a shard; of an animation, without a store, the number of the frame

    @property
    def name(self) -> str:
        """What a message calls it."""
        if self.store is None and self.index is not None:
            return f"{self.file}, frame {self.index}"
        return f"{self.store}:{self.file}" if self.store else self.file

    def read_bytes(self) -> bytes:
        if self.store is None:
            return images.read_bytes(self.file) if self.index is None else images.read_frame(self.file, self.index)
        if self.index is not None:
            return shards.read(self.store, self.index)
        return lmdbs.read(self.store, self.file)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row or file that gives no entry."""

    file: str  # the file that is meant
    reason: str  # one sentence for a UserError
    missing: bool = False  # the file is not there


def find(paths: Sequence[str | Path], split: str | None = None, pattern: str | None = None) -> list[Sample]:
    """Entries with a text, of one or many sources. An image is one entry, whatever paths lead to it.

    paths: folders of images, folders with `labels.csv`, CSV, TSV or JSONL files, LMDB folders, packs or shards of them.
    split: picks rows by the `split` column of any table above the image, whichever path was given.
    pattern: takes the text from file names, such as `{text}.png` or `{text}_{any}.jpg`.
    Raises UserError for a path, row or column that is not there, for an image of which two rows say different things,
    and where nothing is left.
    """
    samples = []
    for path, items in _records(paths, pattern):
        found = _faultless(items)
        if split is not None:
            found = _of_split(found, split, path)
        bare = next((sample for sample in found if sample.text is None), None)
        if bare is not None:
            raise UserError(
                f"{bare.name} has no text: {path} needs a labels.csv with the columns file,text, a .gt.txt "
                "beside each image, or a pattern for the file names (label_pattern='{text}.png')"
            )
        samples += found
    return list(dict.fromkeys(samples))


def find_unlabelled(
    paths: Sequence[str | Path], split: str | None = None, known: Sequence[str | Path] = ()
) -> list[Sample]:
    """Every image below the paths, with or without a text.

    Rows of split `test` and `validation` are left out unless `split` asks for them: what measures or chooses must not
    be trained on, not even without its labels. known: other data, whose splits count here too.
    """
    samples = []
    for path, items in _records(paths, None, split is None, known):
        found = _faultless(items)
        if split is not None:
            found = _of_split(found, split, path)
        if not found:
            raise UserError(f"{path} holds no image to train on: give a folder of images ({_kinds()})")
        samples += found
    free = [sample for sample in dict.fromkeys(samples) if split is not None or sample.split not in HELD_OUT]
    if not free:
        raise UserError(
            f"{paths[0]} holds no image to train on: it has {tally(samples)}, so name the split if you must"
        )
    return free


def find_images(paths: Sequence[str | Path]) -> tuple[list[Sample], list[str]]:
    """The images of files and folders as they are given, and a message for each path that is neither."""
    samples, messages = [], []
    for path in map(Path, paths):
        if shards.is_pack(path):
            samples += _pack(shards.sources(path), path)
        elif path.is_dir():
            samples += [Sample(path.name, str(file)) for file in _walk(path, nested_too=True)[0]]
        elif path.is_file():
            samples.append(Sample(path.parent.name, str(path)))
        else:
            messages.append(
                f"{path} {'is neither a file nor a folder' if path.exists() else 'does not exist'}: check the path"
            )
    return samples, messages


def survey(paths: Sequence[str | Path], pattern: str | None = None) -> tuple[list[Sample], list[Fault]]:
    """Every image of the paths, with or without a text and of any split, and every row or file that gives none."""
    found = dict.fromkeys(item for _, items in _records(paths, pattern, everything=True) for item in items)
    return [item for item in found if isinstance(item, Sample)], [item for item in found if isinstance(item, Fault)]


def split_name(split: str) -> str | None:
    """What a split is called here, however it is written; None where it is not known."""
    return SPLITS.get(split.strip().casefold())


def by_source(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    groups = defaultdict(list)
    for sample in samples:
        groups[sample.source].append(sample)
    return groups


def measured(samples: Sequence[Sample]) -> list[Sample]:
    """What is measured where no split is asked for: of every source its rows of split `test`, or if it has none those
    of split `validation`, or if it has neither all."""
    chosen = []
    for group in by_source(samples).values():
        parts = ([sample for sample in group if sample.split == split] for split in HELD_OUT)
        chosen += next(filter(None, parts), group)
    return chosen


def tally(samples: Iterable[Sample]) -> str:
    """How many there are of each split, in words."""
    counts = Counter(f"split {sample.split}" if sample.split else "no split" for sample in samples)
    return " and ".join(f"{count} of {split}" for split, count in counts.items())


def without(samples: Sequence[Sample], others: Iterable[Sample]) -> list[Sample]:
    """The entries whose image is none of the others', whatever path leads there.

    A pack or an LMDB holds copies: where not all is in one of them, or all outside, files of equal bytes are one image.
    """
    disk, others = _Disk(), list(others)
    taken = {disk.image(sample) for sample in others}
    left = [sample for sample in samples if disk.image(sample) not in taken]
    if left and len({_store(sample) for sample in (*left, *others)}) > 1:
        copies = {_digest(sample) for sample in others} - {None}
        left = [sample for sample in left if _digest(sample) not in copies]
    return left


def _store(sample: Sample) -> str | None:
    """The pack or LMDB that an entry is in."""
    return os.path.dirname(sample.store) if sample.store and sample.index is not None else sample.store


def _digest(sample: Sample) -> bytes | None:
    try:
        return hashlib.blake2b(sample.read_bytes(), digest_size=16).digest()
    except UserError:  # whoever needs the image says so
        return None


def _faultless(items: Iterable[Sample | Fault]) -> list[Sample]:
    samples = []
    for item in items:
        if isinstance(item, Fault):
            raise UserError(item.reason)
        samples.append(item)
    return samples


def _of_split(samples: list[Sample], split: str, path: Path) -> list[Sample]:
    name = split_name(split)
    found = [sample for sample in samples if name and sample.split == name]
    if not found:
        known = sorted({sample.split for sample in samples if sample.split})
        raise UserError(
            f"{path} has no rows of split '{split}': "
            + (f"it has {', '.join(known)}" if known else "it has no split column, so leave --split out")
        )
    return found


# an image is one record


class _Said(NamedTuple):
    """What a row of a table, a file or a store says of an image."""

    image: str | tuple  # the same for every path that leads there
    sample: Sample
    where: str


class _Disk:
    """What lies on the disk, each looked at once: folders, links, and tables, which speak for all images below them."""

    def __init__(self):
        self.walk = functools.cache(_walk)
        self.faults: list[Fault] = []  # of tables that were not given, but lie above an image
        self._real = functools.cache(os.path.realpath)
        self._over, self._tables = functools.cache(self._indices_over), functools.cache(self._tables_above)
        self._rows: dict[str, list[_Said | Fault]] = {}
        self._indices: dict[str, dict[str | tuple, list[_Said]]] = {}

    def image(self, sample: Sample) -> str | tuple:
        if sample.store is not None:
            return self._real(sample.store), sample.index, sample.file
        folder, name = os.path.split(sample.file)
        path = os.path.join(self._real(folder), name)
        return os.path.realpath(path) if os.path.islink(path) else path

    def said(self, sample: Sample, where: str | None = None) -> _Said:
        return _Said(self.image(sample), sample, where or sample.name)

    def rows(self, table: Path) -> list[_Said | Fault]:
        """What a table says; its entries have no source."""
        path = os.path.join(self._real(table.parent), table.name)
        if path not in self._rows:
            self._rows[path] = [item if isinstance(item, Fault) else self.said(*item) for item in _rows(table)]
        return self._rows[path]

    def above(self, said: _Said) -> list[_Said]:
        """The rows that list an image in its own folder and the folders above, nearest first; then, where the file is a
        link, in those where it leads."""
        if said.sample.store is not None:
            return []
        folders = dict.fromkeys(os.path.dirname(path) for path in (said.sample.file, said.image))
        indices = {id(index): index for folder in folders for index in self._over(folder)}
        return [row for index in indices.values() for row in index.get(said.image, ())]

    def _indices_over(self, folder: str) -> list[dict[str | tuple, list[_Said]]]:
        """Of tables above a folder and, as it may be a link, above where it leads."""
        tables = [*self._tables(os.path.abspath(folder)), *self._tables(self._real(folder))]
        return [self._index(path) for path in dict.fromkeys(tables)]

    def _tables_above(self, folder: str) -> list[str]:
        parent = os.path.dirname(folder)
        here = [os.path.join(self._real(folder), TABLE)] if os.path.isfile(os.path.join(folder, TABLE)) else []
        return here if parent == folder else [*here, *self._tables(parent)]

    def _index(self, path: str) -> dict[str | tuple, list[_Said]]:
        """What a table says of each image."""
        if path not in self._indices:
            rows = self.rows(Path(path))
            self._indices[path] = _by_image(rows)
            self.faults += [row for row in rows if isinstance(row, Fault) and not row.missing]
        return self._indices[path]


def _records(
    paths: Sequence[str | Path],
    pattern: str | None,
    everything: bool = False,
    known: Sequence[str | Path] = (),
) -> list[tuple[Path, list[Sample | Fault]]]:
    """What each path holds. An image is the same entry in all of them, of the first source that has it.

    Its text is what the paths say, or else the nearest table above it. Its split is what they and the tables above it
    say, and the paths in `known`. It is a fault where two of them differ.
    everything: also the images of a folder that no table lists.
    """
    if not paths:
        raise UserError("no data given: name a folder, a table, an LMDB or a pack with --data")
    disk = _Disk()
    groups = [(path, list(_listed(names, path, pattern, everything, disk))) for names, path in _named(paths, disk)]
    others = itertools.chain(*(_listed(names, path, None, False, disk) for names, path in _named(known, disk)))
    said, more = _by_image(item for _, items in groups for item in items), _by_image(others)
    records = {image: _record(sayings, more.get(image, []), disk) for image, sayings in said.items()}
    found = [(path, [records[i.image] if isinstance(i, _Said) else i for i in items]) for path, items in groups]
    found[0][1].extend(disk.faults)
    return found


def _by_image(items: Iterable[_Said | Fault]) -> dict[str | tuple, list[_Said]]:
    groups = defaultdict(list)
    for item in items:
        if isinstance(item, _Said):
            groups[item.image].append(item)
    return groups


def _record(said: list[_Said], more: list[_Said], disk: _Disk) -> Sample | Fault:
    """The entry of an image; more: what counts only for its split."""
    sample = said[0].sample
    above = disk.above(said[0])
    try:
        text = _agreed("text", said, labels.check)
        text = _agreed("text", above[:1], labels.check) if text is None else text
        split = _agreed("split", [*said, *more, *above], _known_split)
    except UserError as error:
        return Fault(sample.name, str(error))
    return (
        sample if (text, split) == (sample.text, sample.split) else dataclasses.replace(sample, text=text, split=split)
    )


def _agreed(what: str, said: Iterable[_Said], check) -> str | None:
    """What all say that say anything. check: of a value and where it stands, gives it as it is to be."""
    found: dict[str, _Said] = {}
    for one in said:
        value = getattr(one.sample, what)
        value = None if value is None else check(value, one.where)
        if value is not None:
            found.setdefault(value, one)
    if len(found) > 1:
        (a, first), (b, second) = list(found.items())[:2]
        raise UserError(
            f"{second.where} has the {what} '{b}' for {first.sample.name}, and {first.where} has '{a}': "
            f"an image has one {what}, so correct one of them"
        )
    return next(iter(found), None)


def _known_split(split: str, where: str) -> str | None:
    name = split_name(split)
    if name is None and split.strip():
        raise UserError(f"{where} has the split {split!r}, which is not known: {', '.join(SPLITS)}")
    return name


# paths


def _named(paths: Sequence[str | Path], disk: _Disk) -> list[tuple[list[str], Path]]:
    """Each path with the name of its source, its last part, or those in a pack; numbered where a name comes again."""
    taken: set[str] = set()
    named = []
    if "" in paths:
        raise UserError("a path of the data is empty: name a file or a folder, '.' for the one that you are in")
    for path in (source for given in paths for source in _sources(Path(given), disk)):
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


def _sources(path: Path, disk: _Disk) -> list[Path]:
    """The path, and every folder below it that has a labels.csv of its own."""
    if not path.exists():
        raise UserError(f"{path} does not exist: check the path")
    files, nested = disk.walk(path)
    return nested if nested and not (path / TABLE).is_file() and not files else [path, *nested]


def _listed(
    names: list[str], path: Path, pattern: str | None, everything: bool, disk: _Disk
) -> Iterable[_Said | Fault]:
    """What a path says of its images. A folder or a pack with labels gives those that have one, or with `everything`
    all; one without labels gives all, without a text."""
    name = names[0]
    if shards.is_pack(path):
        samples = _pack(names, path)
        labelled = [sample for sample in samples if sample.text is not None]
        return map(disk.said, samples if everything else labelled or samples)
    if path.is_file() and path.suffix.lower() in TABLES:
        return _table(name, path, disk)
    if path.is_file() and path.suffix.lower() in images.SUFFIXES:
        return _folder(name, [path], pattern, disk)
    if path.is_file():
        raise UserError(f"{path} is neither a folder, an image nor a table ({', '.join(TABLES)})")
    if lmdbs.is_lmdb(path):
        return (item if isinstance(item, Fault) else disk.said(item) for item in _lmdb(name, path))
    files, _ = disk.walk(path)
    if pattern is None and (path / TABLE).is_file():
        listed = list(_table(name, path / TABLE, disk))
        if everything:
            known = {item.image for item in listed if isinstance(item, _Said)}
            unlisted = (disk.said(Sample(name, str(file))) for file in files)
            listed += [said for said in unlisted if said.image not in known]
        return listed
    if not files:
        raise UserError(f"{path} holds no image: give a folder of images ({_kinds()})")
    if pattern is None and not everything:
        files = [file for file in files if disk.above(disk.said(Sample(name, str(file))))] or files
    return _folder(name, files, pattern, disk)


def _kinds() -> str:
    return ", ".join(sorted(suffix[1:] for suffix in images.SUFFIXES))


def _walk(folder: Path, nested_too: bool = False) -> tuple[list[Path], list[Path]]:
    """The images below a folder, and the folders below it that have a labels.csv of their own: these are other sources,
    whose images are not among the first, unless `nested_too` says so. Hidden folders are no data."""
    files, nested, others = [], [], set()
    for current, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in HIDDEN]
        if current != str(folder) and TABLE in names:
            nested.append(Path(current))
            others.add(current)
        elif os.path.dirname(current) in others:
            others.add(current)
        if nested_too or current not in others:
            found = (os.path.join(current, name) for name in names if Path(name).suffix.lower() in images.SUFFIXES)
            files += [Path(file) for file in found if os.path.isfile(file)]
    return sorted(files), sorted(nested)


# tables


def _table(name: str, path: Path, disk: _Disk) -> Iterator[_Said | Fault]:
    rows = disk.rows(path)
    if not rows:
        raise UserError(f"{path} has no rows: the columns are file,text and perhaps split")
    for row in rows:
        yield row if isinstance(row, Fault) else row._replace(sample=dataclasses.replace(row.sample, source=name))


def _rows(path: Path) -> Iterator[tuple[Sample, str] | Fault]:
    """What a table says of images, and where: entries without a source."""
    suffix = path.suffix.lower()
    for where, row in _jsonl_rows(path) if suffix == ".jsonl" else _csv_rows(path, TABLES[suffix]):
        yield _row(path, where, row)


def _row(table: Path, where: str, row: dict | str) -> tuple[Sample, str] | Fault:
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
        named = row["file"] if row["file"] and row["file"].isprintable() else repr(row["file"])
        reason = f"{where} names {named}, which is not in {table.parent} nor in its images folder"
        return Fault(str(table.parent / row["file"]), reason, missing=True)
    return Sample("", file, row["text"], row.get("split")), where


@contextlib.contextmanager
def _opened(path: Path):
    """The lines of a file as they stand, without the byte order mark that spreadsheets write."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            yield _lines(path, stream)
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the file and who may read it") from None


def _lines(path: Path, stream) -> Iterator[str]:
    """What has no line breaks, as a file with a hole, would fill the memory as one line."""
    while line := stream.readline(LONGEST + 1):
        if len(line) > LONGEST:
            raise UserError(f"{path} has a line of more than {LONGEST} characters: it is no table and no text")
        yield line


def _csv_rows(path: Path, delimiter: str):
    """A CSV file quotes fields as RFC 4180 says; in a TSV file every character stands for itself."""
    how = {"quoting": csv.QUOTE_NONE} if delimiter == "\t" else {"strict": True}
    with _opened(path) as lines:
        reader = csv.DictReader(lines, delimiter=delimiter, **how)
        try:
            double = _twice(reader.fieldnames or ())
            if double:
                raise UserError(f"{path}, line {reader.line_num} has two columns '{double}': rename one of them")
            for row in reader:
                yield f"{path}, line {reader.line_num}", row
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.reader.line_num} is not a table row ({error})") from None


def _twice(names: Iterable[str]) -> str | None:
    """A name that comes twice; columns without a name are none."""
    return next((name for name, count in Counter(names).items() if name and count > 1), None)


def _jsonl_rows(path: Path):
    with _opened(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{path}, line {number}", _json_row(line)


def _json_row(line: str) -> dict | str:
    """The row of a line, or what is wrong with it."""
    try:
        # arrays alone are lists, and numbers are the text that stands there: 0.10 is no 0.1
        pairs = json.loads(line, object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        return "is not a JSON object with the keys file and text: it is nested too deeply"
    except ValueError as error:
        return f"is not JSON ({error})"
    if not isinstance(pairs, tuple):
        return "is not a JSON object with the keys file and text"
    double, row = _twice(name for name, _ in pairs), dict(pairs)
    if double:
        return f"has two keys '{double}': rename one of them"
    for name in ("file", "text", "split"):
        if isinstance(row.get(name), (bool, list, tuple)):
            return f"has a '{name}' that is neither text nor a number"
    return {name: None if value is None else str(value) for name, value in row.items()}


def _beside(table: Path, file: str) -> str | None:
    """The file that a row names, also where it was written on Windows or in another form of Unicode."""
    for name in _spellings(file):
        for folder in (table.parent, table.parent / "images"):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return str(Path(path))
    return None


def _spellings(file: str) -> Iterator[str]:
    slashed = file.replace("\\", "/")
    yield from (file, slashed, unicodedata.normalize("NFC", slashed), unicodedata.normalize("NFD", slashed))


# folders


def _folder(name: str, files: list[Path], pattern: str | None, disk: _Disk) -> Iterator[_Said | Fault]:
    expression = _expression(pattern) if pattern else None
    for file in files:
        said, truth = disk.said(Sample(name, str(file))), file.with_name(file.stem + ".gt.txt")
        if expression:
            match = expression.fullmatch(file.name)
            if match:
                yield said._replace(sample=dataclasses.replace(said.sample, text=match["text"]))
            else:
                reason = f"{file} does not fit the pattern '{pattern}': rename it or change the pattern"
                yield Fault(str(file), reason)
        elif truth.is_file() and not disk.above(said):
            try:
                images.check_bytes(truth.stat().st_size, str(truth))
                with _opened(truth) as lines:
                    text = "".join(lines).strip("\r\n")
                yield _Said(said.image, dataclasses.replace(said.sample, text=text), str(truth))
            except UserError as error:
                yield Fault(str(file), str(error))
        else:
            yield said


def _expression(pattern: str) -> re.Pattern:
    if pattern.count("{text}") != 1:
        raise UserError(f"the pattern '{pattern}' needs {{text}} once, as in '{{text}}_{{any}}.png'")
    parts = {"{text}": "(?P<text>.+?)", "{any}": ".*?"}
    pieces = re.split(r"(\{text\}|\{any\})", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces), re.IGNORECASE)


# LMDB


def _lmdb(name: str, path: Path) -> Iterator[Sample | Fault]:
    store = str(path)
    for key, text, wrong in lmdbs.samples(store):
        yield Sample(name, key, text, store=store) if wrong is None else Fault(f"{store}:{key}", wrong)


# packs


def _pack(names: list[str], path: Path) -> list[Sample]:
    """Every image of a pack; names: of its sources."""
    return [
        Sample(names[source], file, text, split, shard, index)
        for shard, index, (source, file, text, split) in shards.rows(path)
    ]
