"""LMDBs as of deep-text-recognition-benchmark: keys image-000000001, label-000000001, num-samples. Host side."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from seqclr.data.images import check_bytes
from seqclr.errors import UserError

DATA = "data.mdb"
IMAGE = re.compile("image-[0-9]{9,12}")
LEAST = 25  # bytes of an image at least: a key of 15, the header of a node and its index


def is_lmdb(path: Path) -> bool:
    return os.path.isfile(path / DATA)


def samples(store: str) -> Iterator[tuple[str, str | None, str | None]]:
    """The key of every image, its text, and the reason where the text is missing or wrong.

    Where some images have labels, all must. Raises UserError for a damaged store and a missing or impossible number of
    images.
    """
    with _reading(store) as get:
        count = _count(store, get)
        labelled = any(get(_label(number)) is not None for number in range(1, count + 1))
        for number in range(1, count + 1):
            key, text, wrong, label = f"image-{number:09d}", None, None, get(_label(number))
            if label is not None:
                try:
                    text = bytes(label).decode("utf-8")
                except UnicodeDecodeError:
                    wrong = f"{store} has a {_label(number)} that is not UTF-8 text"
            elif labelled and get(key) is None:
                wrong = _lacks(store, key)
            elif labelled:
                wrong = f"{store} has no {_label(number)}, though other images have labels: write it, or remove all"
            yield key, text, wrong


def read(store: str, key: str) -> bytes:
    """The encoded image under a key. Raises UserError where it is missing."""
    with _reading(store) as get:
        data = get(key)
        if data is None:
            raise UserError(_lacks(store, key))
        return bytes(data)


def has_image(store: str, key: str) -> bool:
    """Whether an LMDB has an image under a key. Raises UserError where it is damaged."""
    if not IMAGE.fullmatch(key):
        return False
    with _reading(store) as get:
        return get(key) is not None


def _lacks(store: str, key: str) -> str:
    return f"{store} has no key {key}: its num-samples is larger than the number of its images"


def _label(number: int) -> str:
    return f"label-{number:09d}"


def _count(store: str, get: Callable) -> int:
    written = get("num-samples")
    if written is None or not bytes(written[:20]).isdigit():
        raise UserError(
            f"{store} has no number under the key num-samples: "
            "the layout is image-000000001, label-000000001, num-samples"
        )
    count, keys = int(bytes(written[:20])), _environment(store).stat()["entries"]
    if count > min(keys - 1, (Path(store) / DATA).stat().st_size // LEAST):
        raise UserError(f"{store} has num-samples {count} and {keys} keys in all: copy it again or mend the number")
    return count


@contextlib.contextmanager
def _reading(store: str) -> Iterator[Callable[[str], memoryview | None]]:
    """Yields a function that returns the value of a key; values are valid within the block."""
    import lmdb

    try:
        with _environment(store).begin(buffers=True) as transaction:

            def get(key: str) -> memoryview | None:
                value = transaction.get(key.encode())
                if value is not None:
                    check_bytes(len(value), f"{store}:{key}")
                return value

            yield get
    except lmdb.Error as error:
        raise UserError(f"{store} is damaged ({error}): copy it again") from None


_real = functools.lru_cache(maxsize=64)(os.path.realpath)


def _environment(store: str):
    return _opened(_real(store))  # a process can open it once, whatever paths lead to it


@functools.lru_cache(maxsize=64)
def _opened(store: str):
    import lmdb

    try:
        environment = lmdb.open(store, readonly=True, lock=False, readahead=False, meminit=False)
    except (lmdb.Error, OSError, ValueError, OverflowError) as error:
        raise UserError(f"{store} is not an LMDB that can be opened ({error})") from None
    size = (Path(store) / DATA).stat().st_size
    needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    if size < needed:  # reading beyond the end of a mapped file kills the process
        environment.close()
        raise UserError(f"{store} is cut short: {DATA} has {size} of {needed} bytes, so copy it again")
    return environment
