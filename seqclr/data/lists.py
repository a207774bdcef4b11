"""Lists of images and their texts: CSV files that everything here reads. Host side."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from seqclr import files
from seqclr.data.records import Sample
from seqclr.errors import UserError


def check_free(path: Path, samples: Sequence[Sample]) -> None:
    """Raises UserError where a list of these images could not be written at the path."""
    if path.suffix.lower() != ".csv":
        raise UserError(f"{path} does not end in .csv: the list is a CSV file")
    if path.exists():
        raise UserError(f"{path} exists already: give the list another name")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path} cannot be written: its folder does not exist")
    store = next((sample.store for sample in samples if sample.store), None)
    if store:
        raise UserError(f"{store} is no folder, so a CSV file cannot list its images: leave it out")
    odd = next((sample for sample in samples if not files.is_utf8("".join(_row(path, sample)))), None)
    if odd:
        raise UserError(f"{odd.name} has a name that is not UTF-8, so a CSV file cannot list it: rename it")


def write(path: Path, samples: Sequence[Sample]) -> None:
    """Writes `file,text,split`; the file appears whole or not at all."""
    try:
        with files.atomic_write(path) as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", "text", "split"])
            writer.writerows(_row(path, sample) for sample in samples)
    except files.NotWritten as error:
        raise UserError(f"{error}: check the path") from None


def _row(path: Path, sample: Sample) -> list[str]:
    return [_path_for(path, sample), sample.text or "", sample.split or ""]


def _path_for(path: Path, sample: Sample) -> str:
    """Relative where the list and its images can be moved together."""
    file, folder = Path(sample.file).absolute(), path.absolute().parent
    return str(file.relative_to(folder) if file.is_relative_to(folder) else file)
