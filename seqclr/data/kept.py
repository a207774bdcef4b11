"""Rows that take long to make, kept in one file that all processes of a run share. Host side."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import weakref
import zlib
from pathlib import Path

import numpy as np

CHECK = 4  # bytes of the checksum before a row


class Kept:
    """Rows of one NumPy type by their number, in a temporary file, which is removed with the object that made it.

    A copy that was sent to another process reads and writes the same file, without locks: a row carries its checksum,
    so one that is half written is as one that is not there. `close()` removes the file before.

    limit: bytes of the file; rows beyond are not kept, nor are any where the disk is full.
    """

    def __init__(self, limit: int = 2**30):
        handle, self.path = tempfile.mkstemp(prefix="seqclr-", suffix=".rows")
        os.close(handle)
        self.limit = limit
        self.close = weakref.finalize(self, _remove, self.path)

    def get(self, number: int, dtype: np.dtype) -> np.void | None:
        """The row of this number, a copy; None where it is not kept."""
        size = CHECK + dtype.itemsize
        self._stream.seek(number * size)
        data = self._stream.read(size)
        if len(data) < size or zlib.crc32(data[CHECK:]) != int.from_bytes(data[:CHECK], "little"):
            return None
        return np.frombuffer(bytearray(data[CHECK:]), dtype)[0]

    def put(self, number: int, row: np.void) -> None:
        """Keeps a row, where there is room."""
        data = row.tobytes()
        offset = number * (CHECK + len(data))
        if offset + CHECK + len(data) <= self.limit:
            with contextlib.suppress(OSError):  # a full disk: it is made again the next time
                self._stream.seek(offset)
                self._stream.write(zlib.crc32(data).to_bytes(CHECK, "little") + data)

    @functools.cached_property
    def _stream(self):
        return open(self.path, "r+b", buffering=0)

    def __getstate__(self) -> dict:
        return {"path": self.path, "limit": self.limit}


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink(missing_ok=True)
