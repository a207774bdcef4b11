"""Labels on disk: every change is in a journal before it is confirmed, and then in a CSV file that other verbs read.

    labels.csv           file,text,split,source,time: a row for each labelled image, and one with an empty text for each
                         that has lost the label that it had in the data: it goes before that label
    labels.csv.journal   a line of JSON for each change, with the same keys

In the journal, the text of an image without a label is null; its source is `unreadable`, `wrong` (its prediction or
former label was marked as wrong) or `removed`. The line
`{"written": true}` says that the CSV file holds all lines before it: at the next start only those after it are applied,
so that rows that were edited by hand since then stay as they are.

A record of an LMDB or a pack is named by its key or index, which may be that of another image when the store was made
anew. So a line on a record has its `digest` too, with which `Images` compares the record at the next start.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from seqclr.data import tables
from seqclr.data.labels import COLUMNS, Label
from seqclr.data.samples import Fault
from seqclr.errors import UserError
from seqclr.files import Lock, atomic_write, check_can_make, exists, writing

SOURCES = ("typed", "accepted", "corrected", "login", "given")
NO_TEXT = ("unreadable", "wrong", "removed")


class Journal:
    """The labels of one CSV file, `labels` by file, which one process changes at a time.

    in_data: files that have a row or a text in the data; without a label here, they have a row with an empty text.
    digests: of the images that labels were given to, by file, where they are known.
    Raises UserError where another process holds the file, and where it or the journal cannot be read. A method may be
    called in any thread.
    """

    def __init__(self, path: Path):
        check_path(path)
        self.path, self.file = path, path.with_name(path.name + ".journal")
        self.labels: dict[str, Label] = {}
        self.in_data: set[str] = set()
        self.digests: dict[str, str] = {}
        self._changed, self._mutex = False, threading.Lock()
        self._stream: io.FileIO | None = None  # opened at the first change
        self._held = Lock(path.with_name(f".{path.name}.lock"), path)
        try:
            if exists(path):
                self.labels = {label.file: label for label in read(path)}
            self._end = self._replay()
        except BaseException:
            self._held.close()
            raise

    def record(self, labels: Sequence[Label], digests: Mapping[str, str] | None = None) -> None:
        """Puts labels on the disk, with the digests of their images where they are given, by file.

        Raises files.NotWritten, as on a full disk; then none of them is recorded.
        """
        digests = digests or {}
        with self._mutex:
            found = ((label, digests.get(label.file)) for label in labels)
            self._append([label._asdict() | ({"digest": digest} if digest else {}) for label, digest in found])
            self._take(labels)

    def take_over(self, labels: Sequence[Label], digests: Mapping[str, str]) -> None:
        """Adds labels of the data, which are in the CSV file from its next writing on; those whose images have a digest
        are recorded. Raises files.NotWritten."""
        self.record([label for label in labels if label.file in digests], digests)
        with self._mutex:
            self._take(labels)

    def _take(self, labels: Sequence[Label]) -> None:
        self.labels |= {label.file: label for label in labels}
        self._changed = self._changed or bool(labels)

    def write(self) -> None:
        """Writes the CSV file, if labels have changed. Raises files.NotWritten."""
        with self._mutex:
            if not self._changed:
                return
            rows = [label for label in self.labels.values() if label.text is not None or label.file in self.in_data]
            if rows:
                with atomic_write(self.path) as stream:
                    csv.writer(stream).writerows([COLUMNS, *rows])
            else:  # a table without rows is refused by the other verbs
                with writing(self.path):
                    self.path.unlink(missing_ok=True)
            self._append([{"written": True}])
            self._changed = False

    def close(self) -> None:
        """Writes the CSV file and lets other processes open it."""
        try:
            self.write()
        finally:
            if self._stream is not None:
                self._stream.close()
            self._held.close()

    def _append(self, lines: list[dict]) -> None:
        if not lines:
            return
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        with writing(self.file):
            if self._stream is None:
                self._stream = open(self.file, "ab", buffering=0)
            try:
                self._stream.truncate(self._end)  # a line that a crash has cut off was never confirmed
                if self._stream.write(data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._stream.fileno())
            except OSError:
                self._stream.truncate(self._end)
                raise
            self._end += len(data)

    def _replay(self) -> int:
        """Applies the journal; returns the number of bytes of its complete lines."""
        if not exists(self.file):
            return 0
        data = self.file.read_bytes()
        complete = data[: data.rfind(b"\n") + 1]
        entries = [self._entry(*line) for line in enumerate(complete.splitlines(), 1)]
        written = max((number for number, label in enumerate(entries, 1) if label is None), default=0)
        past, new = ({label.file: label for label in part if label} for part in (entries[:written], entries[written:]))
        without = {file: label for file, label in past.items() if label.text is None and file not in self.labels}
        self.labels, self._changed = self.labels | without | new, bool(new)  # the CSV file has what is left out
        return len(complete)

    def _entry(self, number: int, line: bytes) -> Label | None:
        """The label of a line of the journal, whose digest is kept; None for a line that says that the CSV file was
        written."""
        try:
            values = json.loads(line)
            if values == {"written": True}:
                return None
            digest = values.pop("digest", "")
            label = Label(**values)
            others = digest, *label._replace(text="")
            if not (isinstance(label.text, str | None) and all(isinstance(value, str) for value in others)):
                raise ValueError("a value that is no text")
            if digest:
                self.digests[label.file] = digest
            return label
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            problem = f"{self.file}, line {number} is damaged ({error})"
            raise UserError(f"{problem}: delete this line, or the file if {self.path} is right") from None


def check_path(path: Path) -> None:
    """Raises UserError where a CSV file of labels cannot be written at the path."""
    if path.suffix.lower() != ".csv":
        raise UserError(f"{path} does not end in .csv: labels are written to a CSV file")
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the CSV file for the labels")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path} cannot be written: its folder does not exist")
    if not exists(path):
        check_can_make(path)
    elif not os.access(path, os.W_OK):
        raise UserError(f"{path} is not writable: choose another --labels")


def read(path: Path) -> list[Label]:
    """The labels of a CSV file. A row with an empty text is one of an image without a label, if its source says so.

    Raises UserError for a row that names no image, and for columns that would not be written again.
    """
    rows = list(tables.rows(path))
    with tables.open_lines(path) as lines:
        reader = csv.DictReader(lines, strict=True)
        others = [name for name in reader.fieldnames or () if name not in COLUMNS]
        if others:
            problem = (
                f"{path} has the column '{others[0]}', which would be lost: its columns may be {','.join(COLUMNS)}"
            )
            raise UserError(f"{problem}; choose another --labels")
        labels = []
        for found, row in zip(rows, reader):
            if isinstance(found, Fault):
                raise UserError(found.reason)
            text = row["text"] if row["text"].strip() else None
            if text or row.get("source") in NO_TEXT:
                values = {name: row[name] for name in COLUMNS if row.get(name)}
                labels.append(Label(**values | {"text": text}))
    return labels
