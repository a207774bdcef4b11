"""The readers of a server, each of which is replaced when its folder changes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from seqclr import readers
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.runtime import folder as exports
from seqclr.serve.batcher import BATCH, Batcher, Reader
from seqclr.serve.drift import Drift
from seqclr.serve.keeper import Keeper
from seqclr.serve.metrics import Metrics

INTERVAL = 1.0  # seconds between two looks at a folder
BLANK = np.full((32, 128, 3), 255, np.uint8)


class ServedReader:
    """A reader with its name and folder.

    load: a function from a folder to a reader; it raises UserError for a folder that it cannot load.
    limit, timeout: as in `Batcher`. keeper: writes its images with feedback, if they are kept.
    """

    def __init__(
        self, name: str, folder: str, load: Callable[[str], Reader], limit: int, timeout: float, metrics: Metrics,
        keeper: Keeper | None = None,
    ):  # fmt: skip
        self.name, self.folder, self.keeper = name, folder, keeper
        self._load, self._metrics = load, metrics
        self._loaded, self._digest = state_of(folder), digest_of(folder)
        self.batcher = Batcher(name, self._load_and_try(), limit, timeout, metrics)
        self.drift = Drift(name, metrics, self._digest, keeper)

    def _load_and_try(self) -> Reader:
        reader = self._load(self.folder)
        if self.keeper is not None and reader.answer == "sum":  # other readers would learn to see the answer
            problem = f"{self.folder} predicts the answers to sums, which are no labels of its images"
            raise UserError(f"{problem}: leave --keep out, or export it without answer")
        reader.predict([BLANK] * BATCH)  # slow and in need of memory the first time; shows whether the model runs
        return reader

    async def watch(self) -> None:
        """Replaces the reader when its folder has changed and can be loaded; otherwise the present one goes on.

        A folder that changes between two looks is still being copied, and is not loaded yet.
        """
        before = self._loaded
        while True:
            await asyncio.sleep(INTERVAL)
            now = await asyncio.to_thread(state_of, self.folder)
            if now == before and now != self._loaded:
                self._loaded = now  # one attempt for each change
                await asyncio.to_thread(self._reload)
            before = now

    def _reload(self) -> None:
        digest = digest_of(self.folder)
        try:
            self.batcher.reader = self._load_and_try()
        except Exception as error:
            reason = error if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            self._metrics.reloads.labels(self.name, "failed").inc()
            warn(f"{self.name}: {self.folder} has changed and cannot be loaded, the reader stays as it was ({reason})")
        else:
            if digest != self._digest:  # another reader has other confidences
                self._digest = digest
                self.drift = Drift(self.name, self._metrics, digest, self.keeper)
            self._metrics.reloads.labels(self.name, "loaded").inc()
            say(f"{self.name}: loaded again, as {self.folder} has changed")


def state_of(folder: str) -> frozenset[tuple]:
    """Path, size, time and inode of each file in a folder; empty where there is none."""
    found = set()
    for path in files_of(folder):
        try:
            status = path.stat()
        except OSError:  # removed since
            continue
        found.add((str(path), status.st_size, status.st_mtime_ns, status.st_ino))
    return frozenset(found)


def digest_of(folder: str) -> str:
    """A digest of the names and the content of all files in a folder, which copies of it have too."""
    found = hashlib.sha256()
    for path in sorted(files_of(folder)):
        with contextlib.suppress(OSError):  # removed since
            name = path.relative_to(readers.folder_of(folder)).as_posix()
            found.update(os.fsencode(name) + b"\0" + exports.digest(path).encode())
    return found.hexdigest()


def files_of(folder: str) -> list[Path]:
    return [Path(above, file) for above, _, files in os.walk(readers.folder_of(folder)) for file in files]
