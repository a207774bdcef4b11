"""Texts that a login has refused: what images do not show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqclr.data import tables
from seqclr.data.annotations import AnnotationReader
from seqclr.data.charset import Charset, frames_needed, frames_of
from seqclr.data.dataset import ImageDataset
from seqclr.data.labels import REFUSED
from seqclr.data.samples import Fault
from seqclr.errors import UserError


def refused_texts(data: Sequence[str], dataset: ImageDataset, charset: Charset) -> list[str]:
    """The refused text of each sample, from the tables that `seqclr serve --keep` writes; empty where there is none.

    data: paths; folders among them may have such a table. A text that the reader cannot predict is left out.
    Raises UserError where a table cannot be read.
    """
    found = [Path(path) / REFUSED[0] for path in data]
    reader, texts = AnnotationReader(), {}
    for row in (row for table in found if table.is_file() for row in tables.rows(table)):
        if not isinstance(row, Fault):
            texts[reader.image_id(row[0])] = charset.normalize(row[0].text)
        elif not row.missing:
            raise UserError(row.reason)
    refused = []
    for sample, width in zip(dataset.samples, dataset.filled()):
        text = texts.get(reader.image_id(sample), "")
        fits = not charset.strangers(text) and frames_needed(text) <= frames_of(width)
        refused.append(text if fits else "")
    return refused
