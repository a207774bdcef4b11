"""Digests of a run's labelled samples: a resumed run must have the same ones, and label errors are judged by readers
that have not seen the label."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from seqclr import files
from seqclr.data.hashes import content_digest
from seqclr.data.samples import Sample
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.methods import find_method

BLOCKS = 1024  # most digests per split: with more samples, one digest covers several


class SampleDigests(keras.callbacks.Callback):
    """Saves digests of the samples in every checkpoint; `set_state` raises UserError where they differ.

    run: the run's folder. trained_on, validated_on: its samples, in order. A digest covers file name, label and split,
    not the folder, because data may be moved.
    """

    def __init__(self, run: Path, trained_on: Sequence[Sample], validated_on: Sequence[Sample]):
        super().__init__()
        self.run, self.parts = run, {"trained_on": trained_on, "validated_on": validated_on}
        self.digests = {name: digests(samples) for name, samples in self.parts.items()}

    def get_state(self) -> dict:
        return self.digests

    def set_state(self, state: dict) -> None:
        for name, samples in self.parts.items():
            past, now = state[name], self.digests[name]
            if past != now:
                raise UserError(
                    f"the samples {name.replace('_', ' ')} are not those that {self.run} was started with "
                    f"({_difference(samples, past, now)}): restore the data, or choose another --output with "
                    f"--pretrained {self.run}"
                )


def digests(samples: Sequence[Sample]) -> dict:
    """The number of samples, and a CRC-32 of each block of `ceil(count / BLOCKS)` samples."""
    size = _block_size(len(samples))
    rows = ["\t".join((os.path.basename(s.file), s.text or "", s.split or "")) for s in samples]
    blocks = ("\n".join(rows[start : start + size]) for start in range(0, len(rows), size))
    return {"count": len(samples), "blocks": [zlib.crc32(block.encode("utf-8", "surrogatepass")) for block in blocks]}


def _block_size(count: int) -> int:
    return max(1, -(-count // BLOCKS))


def _difference(samples: Sequence[Sample], past: dict, now: dict) -> str:
    if past["count"] != now["count"]:
        return f"then {past['count']}, now {now['count']}"
    size = _block_size(now["count"])
    first = next(i for i, (a, b) in enumerate(zip(past["blocks"], now["blocks"])) if a != b)
    block = samples[first * size : (first + 1) * size]
    if len(block) == 1:
        return f"the first difference is {block[0].name}, now labelled '{block[0].text}'"
    return f"the first difference is in the {len(block)} samples from {block[0].name} to {block[-1].name}"


def save_known_labels(run: Run, samples: Sequence[Sample], starts: Sequence[str | None]) -> None:
    """Saves the digests of the images whose labels a run is trained or validated on, and those of its starts.

    Nothing is saved where those of a start are not known.
    """
    seen = [known_labels(start) for start in starts if start is not None]
    if None not in seen:
        digests = {content_digest(sample) for sample in samples}.union(*seen)
        with files.atomic_write(run.known_labels_file, binary=True) as stream:
            np.save(stream, np.array(sorted(digests), np.int64))


def known_labels(folder: str | Path) -> set[int] | None:
    """The digests of the images whose labels went into the weights of a run.

    None where they are not known: of a fine-tuning or adaptation by an older version, of a pretraining by a method that
    uses labels, and where a start of the run cannot be opened. The labels of a pretraining's probe are not among them:
    they choose its checkpoint, and no gradient of theirs reaches the encoder.
    """
    try:
        run = Run.open(folder)
        if run.known_labels_file.is_file():
            return set(np.load(run.known_labels_file).tolist())
        config = run.config()
        if hasattr(config, "labels") or find_method(config.method).uses_labels:
            return None
    except UserError:  # the run was moved or removed, or its method is not registered here
        return None
    start = getattr(config, "init", None)
    return set() if start is None else known_labels(start)
