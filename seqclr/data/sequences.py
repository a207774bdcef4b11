"""Sequences of images: folders of frames, and animations. Host side."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqclr.data import images
from seqclr.data.dataset import ImageDataset, Others, Record
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.messages import warn


def expand(samples: Sequence[Sample]) -> list[Sample]:
    """Replaces each animation by one sample for each of its frames; samples in a pack or LMDB are unchanged.

    Unreadable images are left out with a warning. Raises UserError where nothing is left.
    """
    frames, skipped = [], []
    for sample in samples:
        try:
            count = images.count_frames(sample.file) if sample.store is None else 1
        except UserError as error:
            skipped.append(str(error))
        else:
            frames += [sample] if count == 1 else [dataclasses.replace(sample, index=i) for i in range(count)]
    if skipped and not frames:
        raise UserError(f"no image can be read; the first: {skipped[0]}")
    for message in skipped:
        warn(f"skipped: {message}")
    return frames


class Sequences(Sequence):
    """Sequences of images as records: `{"frames": Frames, "index": int32}`.

    The images of a folder are one sequence, in the order of the numbers in their names (2 before 10), and so are the
    frames of an animation. `samples` has the first of each sequence.

    shortest: least number of frames; shorter sequences are left out with a warning. Raises UserError where all are.
    """

    def __init__(self, dataset: ImageDataset, shortest: int):
        self.dataset = dataset
        groups: dict[tuple, list[int]] = {}
        for index, sample in enumerate(dataset.samples):
            groups.setdefault((sample.source, path_of(sample)), []).append(index)
        self.indices = [sorted(group, key=self._order) for group in groups.values() if len(group) >= shortest]
        if not self.indices:
            (_, name), longest = max(groups.items(), key=lambda item: len(item[1]))
            count = "one frame" if len(longest) == 1 else f"{len(longest)} frames"
            raise UserError(
                f"{name} has {count} where a sequence of {shortest} is needed: give folders of frames or animated GIFs"
            )
        if len(self.indices) < len(groups):
            dropped = len(groups) - len(self.indices)
            warn(f"left out: {dropped} sequence(s) of fewer than {shortest} frames")
        self.samples = [dataset.samples[indices[0]] for indices in self.indices]

    @property
    def paths(self) -> list[str]:
        """The folder or animation of each sequence."""
        return [path_of(sample) for sample in self.samples]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> dict:
        indices = self.indices[index]
        record = {"frames": Frames(self.dataset, indices), "index": np.int32(index)}
        return Record(record, Others(self.dataset, indices[0]))

    def _order(self, index: int) -> tuple:
        sample = self.dataset.samples[index]
        return natural(sample.file), sample.index or 0


class Frames(Sequence):
    """The images of a sequence, `uint8 [H, W, 3]` each, read on access. path: its folder or animation."""

    def __init__(self, dataset: ImageDataset, indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices
        self.path = path_of(dataset.samples[indices[0]])

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.dataset[self.indices[index]]["image"]


def natural(name: str) -> list:
    """A sort key that orders names by the numbers in them."""
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"(\d+)", name) if part]


def path_of(sample: Sample) -> str:
    """The folder or animation of the sequence of a sample."""
    animation = sample.store is None and sample.index is not None
    return sample.file if animation else os.fspath(Path(sample.file).parent)
