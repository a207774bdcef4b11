"""Records to batches: grain shards, shuffles, runs the transform in worker processes, batches and prefetches. Host
side.

The position of a loader is a small JSON-able dict and part of a checkpoint. Batches depend on the seed alone, not on
the number of workers: every example gets its own random generator from its place in the sequence.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grain.python as grain
import numpy as np

from seqclr import files
from seqclr.data import images
from seqclr.data.order import Grouped
from seqclr.data.records import Sample
from seqclr.data.workers import Workers, told
from seqclr.errors import UserError
from seqclr.messages import bar, warn

CACHE_BYTES = 2**30
AHEAD = 1000  # entries that wait for the threads that read them: of a great heap all at once would fill the memory
Transform = Callable[[dict, np.random.Generator], dict]


class ImageDataset(Sequence):
    """Records fitted to one size: `{"image": uint8 [height, width, 3], "index": i}`; under `pad` also `"width"`, the
    columns that are image.

    Up to 1 GiB is decoded once, into a memory-mapped file that all workers share; more is decoded on every access.

    entries: what to read. `skip_bad` leaves unreadable images out and lists them in `skipped`; otherwise the first one
    is a UserError.
    """

    def __init__(self, samples: Sequence[Sample], height: int, width: int, resize: str, skip_bad: bool = False):
        self.samples, self.shape, self.resize = list(samples), (height, width, 3), resize
        self.skipped: list[str] = []
        self.limits = images.get_limits()
        self.cache: Path | None = None
        self._lock: files.Lock | None = None
        self.widths: np.ndarray | None = None
        if len(self.samples) * height * width * 3 <= CACHE_BYTES:
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
        # A damaged file may show only when it is decoded: the next record takes its place.
        for position in range(index, index + len(self)):
            try:
                return self._record(*self._fit(self.samples[position % len(self)]), position % len(self))
            except UserError as error:
                warnings.warn(f"skipped: {error}", stacklevel=2)
        raise UserError("no image can be read")

    def _fit(self, sample: Sample) -> tuple[np.ndarray, int]:
        return images.fit(images.decode(sample.read_bytes(), sample.name), *self.shape[:2], self.resize)

    def _record(self, image: np.ndarray, width: int, index: int) -> dict:
        record = {"image": image, "index": np.int32(index)}
        return {**record, "width": np.int32(width)} if self.resize == "pad" else record

    def filled(self) -> list[int]:
        """The columns of each record that are no padding."""
        if self.widths is not None:
            return self.widths.tolist()
        if self.resize == "stretch":
            return [self.shape[1]] * len(self)
        return [self[index]["width"] for index in range(len(self))]

    def close(self) -> None:
        """Drops the file of pixels; nothing can be read after it."""
        if self.cache is not None and self._lock is not None:
            self.cache.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _decode_all(self, skip_bad: bool) -> None:
        self.cache, self._lock = _new_cache()
        atexit.register(self.close)
        kept, widths = [], []
        with open(self.cache, "wb") as pixels:
            for sample, (image, width) in self._read_all(self._fit, "decode", skip_bad):
                pixels.write(image.tobytes())
                kept.append(sample)
                widths.append(width)
        self.samples, self.widths = kept, np.array(widths, np.int32)

    def _check_all(self, skip_bad: bool) -> None:
        """Decodes where one damaged image is one too many, and only looks at the headers of a great heap."""

        def header(sample: Sample):
            images.open_image(sample.read_bytes(), sample.name)

        self.samples = [sample for sample, _ in self._read_all(header if skip_bad else self._fit, "check", skip_bad)]

    def _read_all(self, function: Callable, what: str, skip_bad: bool):
        """Yields (entry, result) of a function over all entries, in order, from several threads."""

        def attempt(sample: Sample):
            try:
                return function(sample), None
            except UserError as error:
                return None, error

        samples, quiet = self.samples, len(self.samples) < 2000
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = (samples[start : start + AHEAD] for start in range(0, len(samples), AHEAD))
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

    def __getstate__(self) -> dict:  # a worker maps the file again instead of being sent its content
        return {**{key: value for key, value in vars(self).items() if key != "_pixels"}, "_lock": None}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        images.set_limits(self.limits)


def _new_cache() -> tuple[Path, files.Lock]:
    """An empty file, and the lock that tells it from those of processes that were killed, which are dropped."""
    for left in Path(tempfile.gettempdir()).glob("seqclr-*.lock"):
        with contextlib.suppress(OSError, UserError), contextlib.closing(files.Lock(left, left, needed=True)):
            left.with_suffix(".pixels").unlink(missing_ok=True)
    while True:
        handle, name = tempfile.mkstemp(prefix="seqclr-", suffix=".pixels")
        os.close(handle)
        with contextlib.suppress(UserError):  # another process took the lock for one that was left
            return Path(name), files.Lock(Path(name).with_suffix(".lock"), Path(name))


class Drawn(Sequence):
    """So many records of all, the same ones every time, counted anew: `index` is the place among them."""

    def __init__(self, dataset: ImageDataset, count: int):
        self.dataset = dataset
        self.indices = np.sort(np.random.default_rng(0).choice(len(dataset), count, replace=False))
        self.samples = [dataset.samples[position] for position in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> dict:
        return {**self.dataset[self.indices[index]], "index": np.int32(index)}


class Loader:
    """An endless iterator of batches (dicts of arrays with a leading batch axis), whose position can be kept.

    records: anything with `len` and `[index] -> dict`.
    transform: called as `transform(record, rng)`, in the workers; returns a dict of arrays of fixed shapes.
    batch_size: examples in a batch of this shard.
    shard: (which, of how many); the shards of one seed share no example within a pass.
    sources, group: of each record, and how many records of one source come together; 1: all are mixed.
    """

    def __init__(
        self,
        records: Sequence,
        transform: Transform,
        batch_size: int,
        seed: int,
        processes: int = 0,
        shard: tuple[int, int] = (0, 1),
        sources: Sequence[str] = (),
        group: int = 1,
    ):
        self.records = records
        which, shards = shard
        self.steps_per_epoch = max(1, len(records) // (batch_size * shards))
        if group > 1:
            dataset = grain.MapDataset.source(Grouped(records, sources, group, seed)).seed(seed)
        else:
            dataset = grain.MapDataset.source(records).seed(seed).shuffle().repeat()
        # a record's random generator is of its place in the whole, so the shards together give the batches of one
        dataset = dataset.random_map(transform)[which::shards].batch(batch_size, drop_remainder=True)
        self._dataset, self._processes = dataset, processes
        self._batches, self._workers = 0, None

    def __iter__(self):
        return self

    def __next__(self) -> dict:
        """Raises LoaderFailed or UserError where there is no batch; the position stays where it was."""
        if self._processes and self._workers is None:
            self._workers = Workers(self._dataset, self._processes, self._batches)
        batch = next(self._workers) if self._workers is not None else self._make(self._batches)
        self._batches += 1
        return batch

    def _make(self, index: int) -> dict:
        try:
            return self._dataset[index]
        except Exception as error:
            raise told(error) from error

    def get_state(self) -> dict:
        """The position: `{"batches": how many were taken}`, whatever the number of workers."""
        return {"batches": self._batches}

    def set_state(self, state: dict) -> None:
        self.close()
        self._batches = state["batches"]

    def close(self) -> None:
        """Ends the worker processes."""
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.close()


class Joined:
    """Two loaders as one: a batch has the keys of both, those of the second from batch `start` on.

    An epoch is one of the first loader.
    """

    def __init__(self, first: Loader, second: Loader, start: int = 0):
        self.first, self.second, self.start = first, second, start
        self.steps_per_epoch = first.steps_per_epoch

    def __iter__(self):
        return self

    def __next__(self) -> dict:
        late = self.first.get_state()["batches"] >= self.start
        return {**next(self.first), **(next(self.second) if late else {})}

    def get_state(self) -> dict:
        """As that of one loader; the second one's position follows from it."""
        return self.first.get_state()

    def set_state(self, state: dict) -> None:
        self.first.set_state(state)
        self.second.set_state({"batches": max(0, state["batches"] - self.start)})

    def close(self) -> None:
        self.first.close()
        self.second.close()


def in_order(records: Sequence, batch_size: int):
    """Batches of records as they are, once, the last one short."""
    for start in range(0, len(records), batch_size):
        yield as_batch([records[i] for i in range(start, min(start + batch_size, len(records)))])


def as_batch(rows: Sequence[dict]) -> dict:
    """Records or examples as a batch."""
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}
