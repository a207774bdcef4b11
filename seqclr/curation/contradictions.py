"""The list of labels that a reader contradicts: `seqclr check --model` writes it, `seqclr label` opens on it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from seqclr import files
from seqclr.data import tables
from seqclr.data.labels import TIME
from seqclr.data.samples import Sample
from seqclr.errors import UserError

TABLE = "label_errors.csv"
WRITTEN = "give the --output of `seqclr check --model`"


class Contradiction(NamedTuple):
    """A label and what a reader that was not trained on it predicts, as strings of a row.

    file: the name of the image. log_ratio: logarithm of the probability of the prediction over that of the label.
    sure: `yes` where the reader accepts its prediction.
    """

    file: str
    text: str
    prediction: str
    confidence: str
    log_ratio: str
    sure: str


class Contradictions(NamedTuple):
    """rows: by the index of the image, the surest contradiction first. time: when they were listed, as in `Label`."""

    rows: dict[int, Contradiction]
    time: str


def write(rows: Iterable[Contradiction], folder: Path) -> None:
    with files.atomic_write(folder / TABLE) as stream:
        csv.writer(stream).writerows([Contradiction._fields, *rows])


def read(folder: Path, samples: Sequence[Sample]) -> Contradictions:
    """The contradictions of some images. Raises UserError where the folder has no list, or one of other images."""
    path = folder / TABLE
    if not path.is_file():
        raise UserError(f"{folder} has no {TABLE}: {WRITTEN}")
    indices: dict[str, int] = {}
    for index, sample in enumerate(samples):
        indices.setdefault(sample.name, index)
        indices.setdefault(_place(sample.name), index)
    with tables.open_lines(path) as lines:
        table = csv.DictReader(lines, strict=True)
        try:
            if tuple(table.fieldnames or ()) != Contradiction._fields:
                raise UserError(f"{path} has other columns than {','.join(Contradiction._fields)}: {WRITTEN}")
            listed = [_row(row) for row in table]
        except (csv.Error, TypeError, ValueError):
            raise UserError(f"{path}, line {table.reader.line_num} is damaged: {WRITTEN}") from None
    found = [(indices.get(row.file, indices.get(_place(row.file))), row) for row in listed]
    rows = {index: row for index, row in found if index is not None}
    if not rows:
        raise UserError(f"{path} lists none of the images: give those that were checked, or leave it out")
    return Contradictions(rows, datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).strftime(TIME))


def _place(name: str) -> str:
    return os.path.realpath(name)


def _row(row: dict) -> Contradiction:
    """Raises TypeError for other columns, and ValueError for a confidence that is none."""
    found = Contradiction(**row)
    if not 0 <= float(found.confidence) <= 1:
        raise ValueError
    return found
