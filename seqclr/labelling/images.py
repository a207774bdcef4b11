"""The images to label: found once, then addressed by index alone, so that no request names a path."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from seqclr import files
from seqclr.data import images, tables
from seqclr.data.annotations import AnnotationReader
from seqclr.data.discovery import survey
from seqclr.data.hashes import content_digest
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.labelling.journal import Journal
from seqclr.messages import warn

THUMBNAIL = 64  # pixels of the height at most


class Images:
    """The images of some paths, and the name of each in a table of labels.

    journal: the labels so far; the images that it has keep their names.
    Raises UserError for a path without images, and where a label was given to another image than its record now holds.
    """

    def __init__(self, paths: Sequence[str | Path], journal: Journal):
        self.table = table = journal.path
        samples, faults = survey(paths)
        if faults:
            others = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
            warn(f"left out: {faults[0].reason}{others} (`seqclr check` lists all)")
        named = [sample for sample in samples if files.is_utf8(tables.path_for(table, sample))]
        if len(named) < len(samples):
            warn(
                f"left out: {len(samples) - len(named)} images whose names are not UTF-8, which a CSV file cannot list"
            )
        if not named:
            raise UserError(f"{paths[0]} holds no image that can be labelled: see `seqclr check {paths[0]}`")
        self.samples, reader = named, AnnotationReader()
        known: dict = {}
        for file, label in journal.labels.items():
            sample = tables.find_image(table, file)
            if sample is not None:
                if label.source != "removed":
                    check_record(journal, file, sample)
                known.setdefault(reader.image_id(sample), file)
        self.files = [known.get(reader.image_id(sample)) or tables.path_for(table, sample) for sample in named]

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, index: int) -> np.ndarray:
        """`uint8 [H, W, 3]`. Raises UserError where the image cannot be read."""
        sample = self.samples[index]
        return images.decode(sample.read_bytes(), sample.name)

    def png(self, index: int, thumbnail: bool = False) -> bytes:
        """What a reader gets, as a PNG file, whatever the format of the image. Raises UserError as `pixels`."""
        image = Image.fromarray(self.pixels(index))
        if thumbnail and image.height > THUMBNAIL:
            image = image.resize((max(1, image.width * THUMBNAIL // image.height), THUMBNAIL))
        data = io.BytesIO()
        image.save(data, "PNG", compress_level=1)
        return data.getvalue()


def digest_of(sample: Sample) -> str | None:
    """A digest of a record of an LMDB or a pack; None of another image, and where the record cannot be read."""
    with contextlib.suppress(UserError):
        return f"{content_digest(sample):x}" if sample.store is not None else None
    return None


def check_record(journal: Journal, file: str, sample: Sample) -> None:
    """Raises UserError where the journal has another digest of a record, as of an LMDB or a pack that was made anew."""
    digest = journal.digests.get(file)
    if digest is not None and digest_of(sample) != digest:
        raise UserError(
            f"{sample.store} has another image as {file} than the one that was labelled in {journal.path}: bring the "
            f"former {sample.store} back or choose another --labels, or, where the labels are those of the new images, "
            f"delete {journal.file}"
        )


def readable(found: Images, indices: Iterable[int]) -> tuple[list[int], list[np.ndarray]]:
    """The indices of the images that can be read, and their pixels."""
    kept, arrays = [], []
    for index in indices:
        with contextlib.suppress(UserError):
            arrays.append(found.pixels(index))
            kept.append(index)
    return kept, arrays
