"""Samples: images with their texts and splits, before anything is decoded. Host side."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from seqclr.data import images, lmdbs, shards
from seqclr.errors import UserError

SPLITS = {"train": "train", "test": "test", **dict.fromkeys(("validation", "valid", "val"), "validation")}
HELD_OUT = ("test", "validation")  # not trained on unless the user names the split


@dataclasses.dataclass(frozen=True, slots=True)  # slots: a data set has millions of them
class Sample:
    """One image that exists, with its text and split where they are known."""

    source: str  # the data set's name, for results per source
    file: str  # a path; the key in an LMDB; in a shard, the path of the file that was packed
    text: str | None = None
    split: str | None = None
    store: str | None = None  # the folder of an LMDB, or a shard
    index: int | None = None  # of the record in a shard; without a store, of the frame in an animation

    @property
    def name(self) -> str:
        """The name of the image in messages."""
        if self.store is None and self.index is not None:
            return f"{self.file}, frame {self.index}"
        return f"{self.store}:{self.file}" if self.store else self.file

    def read_bytes(self) -> bytes:
        """The encoded image. Raises UserError where it cannot be read."""
        if self.store is None:
            return images.read_bytes(self.file) if self.index is None else images.read_frame(self.file, self.index)
        if self.index is not None:
            return shards.read(self.store, self.index)
        return lmdbs.read(self.store, self.file)

    def is_readable(self) -> bool:
        """Whether the image can be decoded."""
        try:
            images.decode(self.read_bytes(), self.name)
        except UserError:
            return False
        return True


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row or file that gives no sample."""

    file: str  # the image file that the row names
    reason: str  # one sentence for a UserError
    missing: bool = False  # the file does not exist


def split_name(split: str) -> str | None:
    """The standard name of a split (`train`, `test`, `validation`); None where the split is unknown."""
    return SPLITS.get(split.strip().casefold())


def by_source(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Samples grouped by the name of their data set."""
    groups = defaultdict(list)
    for sample in samples:
        groups[sample.source].append(sample)
    return groups


def rows_by_source(samples: Iterable[Sample]) -> dict[str, list[int]]:
    """The indices of the samples of each source."""
    groups = defaultdict(list)
    for index, sample in enumerate(samples):
        groups[sample.source].append(index)
    return dict(groups)


def evaluation_samples(samples: Sequence[Sample]) -> list[Sample]:
    """The samples to evaluate on by default: of each source the split `test`, or else `validation`, or else all."""
    chosen = []
    for group in by_source(samples).values():
        parts = ([sample for sample in group if sample.split == split] for split in HELD_OUT)
        chosen += next(filter(None, parts), group)
    return chosen


def count_splits(samples: Iterable[Sample]) -> str:
    """The number of samples of each split, in words."""
    counts = Counter(f"split {sample.split}" if sample.split else "no split" for sample in samples)
    return " and ".join(f"{count} of {split}" for split, count in counts.items())
