"""A bounded cache of NumPy rows in a temporary file that all processes of a run share. Host side."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import weakref
import zlib
from pathlib import Path

import numpy as np

CHECKSUM_BYTES = 4  # before each row


class DiskCache:
    """Rows of one NumPy type by number, in a temporary file that is removed with the object that made it.

    A pickled copy in another process reads and writes the same file, without locks: each row has a checksum, and a row
    that is only half written counts as missing. `close()` removes the file earlier.

    limit: bytes of the file; rows beyond it are not stored, nor is any row where the disk is full.
    """

    def __init__(self, limit: int = 2**30):
        handle, self.path = tempfile.mkstemp(prefix="seqclr-", suffix=".rows")
        os.close(handle)
        self.limit = limit
        self.close = weakref.finalize(self, _remove, self.path)

    def get(self, number: int, dtype: np.dtype) -> np.void | None:
        """A copy of the row of this number; None where it is not stored."""
        size = CHECKSUM_BYTES + dtype.itemsize
        self._stream.seek(number * size)
        data = self._stream.read(size)
        checksum, content = data[:CHECKSUM_BYTES], data[CHECKSUM_BYTES:]
        if len(data) < size or zlib.crc32(content) != int.from_bytes(checksum, "little"):
            return None
        return np.frombuffer(bytearray(content), dtype)[0]

    def put(self, number: int, row: np.void) -> None:
        """Stores a row, where there is room."""
        data = row.tobytes()
        offset = number * (CHECKSUM_BYTES + len(data))
        if offset + CHECKSUM_BYTES + len(data) <= self.limit:
            with contextlib.suppress(OSError):  # a full disk: the row is computed again next time
                self._stream.seek(offset)
                self._stream.write(zlib.crc32(data).to_bytes(CHECKSUM_BYTES, "little") + data)

    @functools.cached_property
    def _stream(self):
        return open(self.path, "r+b", buffering=0)

    def __getstate__(self) -> dict:
        return {"path": self.path, "limit": self.limit}


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink(missing_ok=True)
