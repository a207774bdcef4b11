"""Random access to decoded images of one size. Host side."""

from __future__ import annotations

import atexit
import bisect
import contextlib
import functools
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqclr import files
from seqclr.data import depth, images
from seqclr.data.samples import Sample, rows_by_source
from seqclr.errors import UserError
from seqclr.messages import bar, warn

CACHE_BYTES = 2**30
READ_AHEAD = 1000  # samples that are submitted to the threads at a time: all at once would fill the memory


class ImageDataset(Sequence):
    """Images resized to one size, as records `{"image": uint8 [height, width, 3], "index": int32}`; with
    `resize="pad"` also `"width": int32`, the number of columns before the padding.

    Up to 1 GiB of pixels is decoded once, into a memory-mapped file that all workers share; more is decoded on every
    access.

    channels: of the encoder that sees the images; with 4, they have their depth as a fourth channel (depth.py).
    skip_bad: leaves unreadable images out and lists them in `skipped`; otherwise the first one is a UserError.
    Raises UserError where no image can be read, files.NotWritten where the pixels do not fit on the disk.
    """

    def __init__(
        self, samples: Sequence[Sample], height: int, width: int, resize: str, skip_bad: bool = False, channels: int = 3
    ):
        self.samples, self.shape, self.resize = list(samples), (height, width, images.channels_read(channels)), resize
        if self.shape[2] == 4:
            self.samples = depth.colours_of(samples)
        self.skipped: list[str] = []
        self.limits = images.get_limits()
        self.cache: Path | None = None
        self._lock: files.Lock | None = None
        self.widths: np.ndarray | None = None
        if len(self.samples) * math.prod(self.shape) <= CACHE_BYTES:
            self._decode_all(skip_bad)
        else:
            self._check_all(skip_bad)
        if not self.samples:
            raise UserError(f"no image can be read; the first: {self.skipped[0]}")
        for message in self.skipped:
            warn(f"skipped: {message}")

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict:
        if self.cache is not None:
            return self._record(np.array(self._pixels[index]), self.widths[index], index)
        # some damage shows only when the image is decoded: the next record is returned instead
        for other in range(index, index + len(self)):
            try:
                return self._record(*self._fit(self.samples[other % len(self)]), other % len(self))
            except UserError as error:
                warnings.warn(f"skipped: {error}", stacklevel=2)
        raise UserError("no image can be read")

    def _fit(self, sample: Sample) -> tuple[np.ndarray, int]:
        image = depth.read(sample) if self.shape[2] == 4 else images.decode(sample.read_bytes(), sample.name)
        return images.fit(image, *self.shape[:2], self.resize)

    def _record(self, image: np.ndarray, width: int, index: int) -> Record:
        columns = {"width": np.int32(width)} if self.resize == "pad" else {}
        return Record({"image": image, "index": np.int32(index), **columns}, Others(self, index))

    def filled(self) -> list[int]:
        """The number of columns before the padding, of each record."""
        if self.widths is not None:
            return self.widths.tolist()
        if self.resize == "stretch":
            return [self.shape[1]] * len(self)
        return [self[index]["width"] for index in range(len(self))]

    def readable(self, indices: Iterable[int]) -> list[int]:
        """Those of some indices whose record is of their own image, and not of the next one."""
        return [index for index in indices if self.cache is not None or self[index]["index"] == index]

    @functools.cached_property
    def by_source(self) -> dict[str, list[int]]:
        """The indices of the samples of each source."""
        return rows_by_source(self.samples)

    def close(self) -> None:
        """Removes the file of pixels; no record can be read afterwards."""
        if self.cache is not None and self._lock is not None:
            self.cache.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _decode_all(self, skip_bad: bool) -> None:
        self.cache, self._lock = _new_cache()
        atexit.register(self.close)
        kept, widths = [], []
        with files.writing(self.cache), open(self.cache, "wb") as pixels:
            for sample, (image, width) in self._read_all(self._fit, "decode", skip_bad):
                pixels.write(image.tobytes())
                kept.append(sample)
                widths.append(width)
        self.samples, self.widths = kept, np.array(widths, np.int32)

    def _check_all(self, skip_bad: bool) -> None:
        """Decodes every image where a damaged one is an error; with `skip_bad` reads the headers alone."""

        def header(sample: Sample):
            images.open_image(sample.read_bytes(), sample.name)

        self.samples = [sample for sample, _ in self._read_all(header if skip_bad else self._fit, "check", skip_bad)]

    def _read_all(self, function: Callable, what: str, skip_bad: bool):
        """Yields (sample, result) of a function of each sample, in order, computed in several threads."""

        def attempt(sample: Sample):
            try:
                return function(sample), None
            except UserError as error:
                return None, error

        samples, quiet = self.samples, len(self.samples) < 2000
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = (samples[start : start + READ_AHEAD] for start in range(0, len(samples), READ_AHEAD))
            results = ((sample, *done) for part in parts for sample, done in zip(part, pool.map(attempt, part)))
            for sample, result, error in bar(results, what, len(samples), unit="img", leave=False, disable=quiet):
                if error is None:
                    yield sample, result
                elif skip_bad:
                    self.skipped.append(str(error))
                else:
                    raise error

    @functools.cached_property
    def _pixels(self) -> np.memmap:
        return np.memmap(self.cache, np.uint8, "r", shape=(len(self), *self.shape))

    def __getstate__(self) -> dict:  # a worker maps the file again, so its content is not sent
        return {**{key: value for key, value in vars(self).items() if key != "_pixels"}, "_lock": None}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        images.set_limits(self.limits)


class Record(dict):
    """A record of a data set. others: the images beside its own, for steps of views that mix images."""

    def __init__(self, content: dict, others: Others | None = None):
        super().__init__(content)
        self.others = others


class Others(NamedTuple):
    """The images of a data set beside that of an index."""

    dataset: ImageDataset
    index: int

    def draw(self, rng: np.random.Generator, same_source: bool) -> np.ndarray:
        """A random one, `uint8 [H, W, 3]` without its padding; that of the index if there is no other.

        same_source: whether it is of the same source.
        """
        indices = self.dataset.by_source[self.dataset.samples[self.index].source] if same_source else None
        count = len(self.dataset) if indices is None else len(indices)
        own = self.index if indices is None else bisect.bisect_left(indices, self.index)
        at = (own + int(rng.integers(1, max(2, count)))) % count
        record = self.dataset[at if indices is None else indices[at]]
        return record["image"][:, : record.get("width")]


def _new_cache() -> tuple[Path, files.Lock]:
    """An empty file and its lock. Files of killed processes, whose locks are free, are removed."""
    for left in Path(tempfile.gettempdir()).glob("seqclr-*.lock"):
        with contextlib.suppress(OSError, UserError), contextlib.closing(files.Lock(left, left, needed=True)):
            left.with_suffix(".pixels").unlink(missing_ok=True)
    while True:
        handle, name = tempfile.mkstemp(prefix="seqclr-", suffix=".pixels")
        os.close(handle)
        with contextlib.suppress(UserError):  # another process took the lock for one that was left
            return Path(name), files.Lock(Path(name).with_suffix(".lock"), Path(name))


class Repeated(Sequence):
    """The records of a data set with these indices, which may repeat; `index` is that in the data set."""

    def __init__(self, dataset: ImageDataset, indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices
        self.samples = [dataset.samples[index] for index in indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> dict:
        return self.dataset[self.indices[index]]


class RandomSubset(Sequence):
    """A random subset of a data set, the same every time; `index` counts within the subset."""

    def __init__(self, dataset: ImageDataset, count: int):
        self.dataset = dataset
        self.indices = np.sort(np.random.default_rng(0).choice(len(dataset), count, replace=False))
        self.samples = [dataset.samples[index] for index in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> dict:
        record = self.dataset[self.indices[index]]
        record["index"] = np.int32(index)
        return record
