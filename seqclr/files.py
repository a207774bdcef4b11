"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PARTIAL = ".partial"  # the suffix of what is being written


class NotWritten(OSError):
    """A file could not be written, such as on a full disk; what was there before is as it was."""


def is_utf8(name: str) -> bool:
    """Whether a file's name, or a text from one, can be written; Python has other bytes as surrogates."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


@contextlib.contextmanager
def whole(path: Path, binary: bool = False):
    """`with whole(path) as stream:` writes the file beside and renames it at the end. Raises NotWritten."""
    beside = path.with_suffix(PARTIAL)
    how = {"mode": "wb"} if binary else {"mode": "w", "encoding": "utf-8", "newline": ""}
    try:
        with open(beside, **how) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise NotWritten(f"{path} cannot be written ({error.strerror or error})") from None
