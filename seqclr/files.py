"""Atomic writing of files and folders, and locks."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from pathlib import Path

from seqclr.errors import UserError
from seqclr.messages import warn

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PARTIAL = ".partial"  # suffix of a file or folder during writing
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class NotWritten(OSError):
    """A file could not be written, such as on a full disk. The message names it; an older file of its name is kept."""


@contextlib.contextmanager
def writing(path: str | os.PathLike):
    """Turns an OSError within the block into NotWritten, which names the path."""
    try:
        yield
    except NotWritten:
        raise
    except OSError as error:
        raise NotWritten(f"{path} cannot be written ({error.strerror or error})") from None


def is_utf8(name: str) -> bool:
    """Whether a file's name, or a text from one, is valid UTF-8; Python keeps other bytes as surrogates."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


@contextlib.contextmanager
def atomic_write(path: Path, binary: bool = False):
    """`with atomic_write(path) as stream:` writes a partial file and renames it at the end. Raises NotWritten."""
    beside = path.with_name(path.name + PARTIAL)
    how = {"mode": "wb"} if binary else {"mode": "w", "encoding": "utf-8", "newline": ""}
    with writing(path):
        try:
            with open(beside, **how) as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(beside, path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise


def exists(path: str | os.PathLike) -> bool:
    """Whether a file or folder exists at the path.

    Raises UserError where the system cannot tell, as for a name that is too long or a folder without permission.
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}): check the path") from None
    except ValueError:  # a NUL character
        raise UserError(f"{path} is not a valid path") from None
    return True


def check_can_make(path: Path) -> None:
    """Raises UserError if a file or folder cannot be created at the path. Creates nothing."""
    above = path.absolute().parent
    while not exists(above):
        above = above.parent
    for part in path.absolute().relative_to(above).parts:
        try:
            os.lstat(above / f".{part}{PARTIAL}")  # the longest name that is written
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UserError(f"{path} cannot be made ({error.strerror}): choose another path") from None
    if not above.is_dir():
        raise UserError(f"{path} cannot be made: {above} is a file")
    if not os.access(above, os.W_OK):
        raise UserError(f"{path} cannot be made: {above} is not writable")


def check_new(path: Path) -> None:
    """Raises UserError if the path exists or cannot be created. Creates nothing."""
    if exists(path):
        raise UserError(f"{path} exists already: choose another --output")
    check_can_make(path)


@contextlib.contextmanager
def atomic_folder(path: Path):
    """`with atomic_folder(path) as folder:` fills a hidden folder, which is renamed to the path at the end.

    Raises UserError if there is something at the path, or another process fills it, and NotWritten on a full disk.
    """
    check_new(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(Lock(path.with_name(f".{path.name}.lock"), path)):
        check_new(path)  # it may have been filled while the lock was another's
        beside = path.with_name(f".{path.name}{PARTIAL}")
        shutil.rmtree(beside, ignore_errors=True)
        try:
            with writing(path):
                beside.mkdir()
                yield beside
                os.replace(beside, path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


class Lock:
    """A lock file that one process holds until `close`, or until the process ends.

    file: created, and removed at the end. of: the path that it protects. Raises UserError where another process holds
    the lock. Where a disk has no locks: a warning, or, if the lock is `needed`, a UserError.
    """

    def __init__(self, file: Path, of: Path, needed: bool = False):
        self.file = file
        while True:
            self._stream = open(file, "ab")
            try:
                self._take()
            except OSError as error:
                if needed or error.errno in HELD:
                    self._stream.close()
                    raise UserError(f"{of} is being written by another process: wait for its end, or stop it") from None
                warn(f"{of} is on a disk without locks: let no other process write there")
            with contextlib.suppress(FileNotFoundError):  # its last holder may have removed it since it was opened
                if os.path.samestat(os.fstat(self._stream.fileno()), os.stat(file)):
                    return
            self._stream.close()

    def _take(self) -> None:
        if sys.platform == "win32":
            msvcrt.locking(self._stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        if sys.platform == "win32":  # an open file cannot be removed there
            self._stream.close()
            with contextlib.suppress(OSError):
                self.file.unlink()
        else:  # while no other process can lock it
            self.file.unlink(missing_ok=True)
            self._stream.close()
