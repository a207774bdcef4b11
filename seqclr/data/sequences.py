"""Sequences of images: folders of frames, and animations. Host wing."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqclr.data import images
from seqclr.data.loader import Fitted
from seqclr.data.records import Entry
from seqclr.errors import UserError
from seqclr.messages import warn


def expand(entries: Sequence[Entry]) -> list[Entry]:
    """Entries with one for each frame in place of an animation; what is packed or in an LMDB stays as it is.

    What cannot be read is left out, which stderr says. Raises UserError where nothing is left.
    """
    frames, skipped = [], []
    for entry in entries:
        try:
            count = images.count_frames(entry.file) if entry.store is None else 1
        except UserError as error:
            skipped.append(str(error))
        else:
            frames += [entry] if count == 1 else [dataclasses.replace(entry, place=i) for i in range(count)]
    if skipped and not frames:
        raise UserError(f"no image can be read; the first: {skipped[0]}")
    for message in skipped:
        warn(f"skipped: {message}")
    return frames


class Sequences(Sequence):
    """Fitted images in sequences: `{"frames": Frames, "index": i}`. Images of one folder are one, in the order of the
    numbers in their names, 2 before 10, and so are the frames of an animation.

    entries: the first of each sequence. shortest: frames that one needs; those with fewer are left out, which stderr
    says. Raises UserError where none is left.
    """

    def __init__(self, fitted: Fitted, shortest: int):
        self.fitted = fitted
        groups: dict[tuple, list[int]] = {}
        for place, entry in enumerate(fitted.entries):
            groups.setdefault(_sequence(entry), []).append(place)
        self.places = [sorted(group, key=self._order) for group in groups.values() if len(group) >= shortest]
        if not self.places:
            (_, name), longest = max(groups.items(), key=lambda item: len(item[1]))
            count = "one frame" if len(longest) == 1 else f"{len(longest)} frames"
            raise UserError(
                f"{name} has {count} where a sequence of {shortest} is needed: give folders of frames or animated GIFs"
            )
        if len(self.places) < len(groups):
            few = len(groups) - len(self.places)
            warn(f"left out: {few} sequence(s) of fewer than {shortest} frames")
        self.entries = [fitted.entries[places[0]] for places in self.places]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict:
        return {"frames": Frames(self.fitted, self.places[index]), "index": np.int32(index)}

    def _order(self, place: int) -> tuple:
        entry = self.fitted.entries[place]
        return natural(entry.file), entry.place or 0


class Frames(Sequence):
    """The images of a sequence, `uint8 [H, W, 3]` each, read when they are asked for."""

    def __init__(self, fitted: Fitted, places: Sequence[int]):
        self.fitted, self.places = fitted, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.fitted[self.places[index]]["image"]


def natural(name: str) -> list:
    """A key that sorts names by the numbers in them."""
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"(\d+)", name) if part]


def _sequence(entry: Entry) -> tuple:
    """The same for images of one sequence."""
    animation = entry.store is None and entry.place is not None
    return entry.source, entry.file if animation else os.fspath(Path(entry.file).parent)
