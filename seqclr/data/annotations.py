"""Annotations: the text and split that a table row, a file or a store gives an image. Host side.

Several paths, links and tables may lead to one image. Its annotations are merged into one sample.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from seqclr.data import folders, label_validation, tables
from seqclr.data.samples import SPLITS, Fault, Sample, split_name
from seqclr.errors import UserError

ImageId = str | tuple  # equal for all paths and hard links of a file, and for all paths of a record in a store


class Annotation(NamedTuple):
    """What one row, file or store says of an image."""

    image: ImageId
    sample: Sample
    where: str  # the file and line, for messages
    given: bool = False  # whether it is a row of a table that is one of the paths


class AnnotationReader:
    """Reads folders, links and tables, each once.

    A table named labels.csv is valid for all images in its folder and below, whatever paths the user gives.
    """

    def __init__(self):
        self.walk = functools.cache(folders.walk)
        self.faults: list[Fault] = []  # of tables that were not given, but lie above an image
        self._real = functools.cache(os.path.realpath)
        self._over, self._tables = functools.cache(self._indices_over), functools.cache(self._tables_above)
        self._rows: dict[str, list[Annotation | Fault]] = {}
        self._indices: dict[str, dict[ImageId, list[Annotation]]] = {}

    def image_id(self, sample: Sample) -> ImageId:
        """An identifier of the image; a frame of an animation has that of its file."""
        if sample.store is not None:
            return self._real(sample.store), sample.index, sample.file
        try:
            status = os.stat(sample.file)
        except (OSError, ValueError):  # reading the image reports it
            status = None
        if status is not None and status.st_nlink > 1 and status.st_ino:
            return status.st_dev, status.st_ino  # hard links
        folder, name = os.path.split(sample.file)
        path = os.path.join(self._real(folder), name)
        return os.path.realpath(path) if os.path.islink(path) else path

    def annotation(self, sample: Sample, where: str | None = None) -> Annotation:
        return Annotation(self.image_id(sample), sample, where or sample.name)

    def rows(self, table: Path) -> list[Annotation | Fault]:
        """The rows of a table; their samples have no source."""
        path = os.path.join(self._real(table.parent), table.name)
        if path not in self._rows:
            self._rows[path] = [row if isinstance(row, Fault) else self.annotation(*row) for row in tables.rows(table)]
        return self._rows[path]

    def rows_above(self, annotation: Annotation) -> list[Annotation]:
        """The rows for an image in the labels.csv of its folder and of the folders above, nearest first; then, where
        the file is a link, in those of its target."""
        sample = annotation.sample
        if sample.store is not None:
            return []
        target = os.path.realpath(sample.file) if os.path.islink(sample.file) else sample.file
        parents = dict.fromkeys(os.path.dirname(path) for path in (sample.file, target))
        indices = {id(index): index for folder in parents for index in self._over(folder)}
        return [row for index in indices.values() for row in index.get(annotation.image, ())]

    def _indices_over(self, folder: str) -> list[dict[ImageId, list[Annotation]]]:
        """The tables above a folder and, as it may be a link, above its target."""
        found = [*self._tables(os.path.abspath(folder)), *self._tables(self._real(folder))]
        return [self._index(path) for path in dict.fromkeys(found)]

    def _tables_above(self, folder: str) -> list[str]:
        parent = os.path.dirname(folder)
        has_table = os.path.isfile(os.path.join(folder, tables.LABELS))
        here = [os.path.join(self._real(folder), tables.LABELS)] if has_table else []
        return here if parent == folder else [*here, *self._tables(parent)]

    def _index(self, path: str) -> dict[ImageId, list[Annotation]]:
        """The rows of a table by image."""
        if path not in self._indices:
            rows = self.rows(Path(path))
            self._indices[path] = by_image(rows)
            self.faults += [row for row in rows if isinstance(row, Fault) and not row.missing]
        return self._indices[path]


def by_image(items: Iterable[Annotation | Fault]) -> dict[ImageId, list[Annotation]]:
    """The annotations of each image; faults are left out."""
    groups = defaultdict(list)
    for item in items:
        if isinstance(item, Annotation):
            groups[item.image].append(item)
    return groups


def merge(annotations: list[Annotation], known: list[Annotation], reader: AnnotationReader) -> Sample | Fault:
    """The sample of an image, or a Fault where two annotations differ.

    The text is that of a table that was given, or else of the other `annotations`, or else of the nearest table above
    the image: so a table can correct the labels of a folder or store. The split is that of all annotations, the tables
    above and `known`.
    """
    sample = annotations[0].sample
    above = [row for each in annotations for row in reader.rows_above(each)]  # hard links lie in several folders
    try:
        given = [each for each in annotations if each.given]
        text = _common("text", given or annotations, label_validation.check)
        text = _common("text", above[:1], label_validation.check) if text is None else text
        split = _common("split", [*annotations, *known, *above], _known_split)
    except UserError as error:
        return Fault(sample.name, str(error))
    if (text, split) == (sample.text, sample.split):
        return sample
    return dataclasses.replace(sample, text=text, split=split)


def is_corrected(annotations: list[Annotation]) -> bool:
    """Whether a table that was given has another text for the image than the rest of the data."""
    if len({each.given for each in annotations}) < 2:
        return False
    return len({each.sample.text for each in annotations} - {None}) > 1


def _common(field: str, annotations: Iterable[Annotation], check: Callable) -> str | None:
    """The value of a field in all annotations that have one. check: returns a value in its standard form."""
    found: dict[str, Annotation] = {}
    for annotation in annotations:
        value = getattr(annotation.sample, field)
        value = None if value is None else check(value, annotation.where)
        if value is not None:
            found.setdefault(value, annotation)
    if len(found) > 1:
        (a, first), (b, second) = list(found.items())[:2]
        raise UserError(
            f"{second.where} has the {field} '{b}' for {first.sample.name}, and {first.where} has '{a}': "
            f"an image has one {field}, so correct one of them"
        )
    return next(iter(found), None)


def _known_split(split: str, where: str) -> str | None:
    name = split_name(split)
    if name is None and split.strip():
        raise UserError(f"{where} has the split {split!r}, which is not known: {', '.join(SPLITS)}")
    return name
