"""Packs data sets into few large files. Host side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from seqclr.data import images, shards
from seqclr.data.discovery import find, survey
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.files import atomic_folder, check_new
from seqclr.messages import bar, say, warn


def pack(
    paths: Sequence[str | Path],
    output: str | Path,
    split: str | None = None,
    label_pattern: str | None = None,
    shard_size: int = shards.SHARD_SIZE,
) -> None:
    """Writes the images of some paths, with or without a text, into a new pack (its format is in data/shards.py).

    split: only rows of this split. shard_size: images a file. Images that cannot be opened are reported and left out.
    The folder is written atomically. Raises UserError for an output that exists, for wrong rows and where there is no
    image, files.NotWritten on a full disk.
    """
    target = Path(output)
    check_new(target)
    if shard_size < 1:
        raise UserError(f"shard_size is {shard_size}: give 1 or more")
    samples = _samples(paths, split, label_pattern)
    sources = list(dict.fromkeys(sample.source for sample in samples))
    skipped: list[str] = []
    with atomic_folder(target) as beside:
        count = shards.write(beside, _readable(samples, sources, skipped), sources, shard_size)
        for message in skipped:
            warn(f"skipped: {message}")
        if not count:
            raise UserError("no image can be opened, so nothing was packed: `seqclr check` says more")
    left_out = f", {len(skipped)} that cannot be opened were skipped" if skipped else ""
    say(f"{count} images packed{left_out}")


def _samples(paths: Sequence[str | Path], split: str | None, label_pattern: str | None) -> list[Sample]:
    if split is not None:
        return find(paths, split, label_pattern)
    samples, faults = survey(paths, label_pattern)
    if faults:
        raise UserError(faults[0].reason)
    return samples


def _readable(samples: list[Sample], sources: list[str], skipped: list[str]) -> Iterator[tuple[shards.Row, bytes]]:
    """Yields rows and bytes of the images that can be opened; appends a message for each other to `skipped`."""
    numbers = {source: number for number, source in enumerate(sources)}
    for sample in bar(samples, "pack", unit="img", leave=False, disable=len(samples) < 2000):
        try:
            data = sample.read_bytes()
            images.open_image(data, sample.name)
        except UserError as error:
            skipped.append(str(error))
        else:
            yield (numbers[sample.source], sample.file, sample.text, sample.split), data
