"""Worker processes that make batches ahead of the training. Host side.

Each has its own pipe, which ends when the process is killed; a queue shared by all would block for ever.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
import types
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from seqclr.errors import UserError

AHEAD = 4  # batches that each process prefetches
PATIENCE = 300  # seconds that a batch may take
SIGNALS = {signal.SIGINT, signal.SIGTERM}


class LoaderFailed(Exception):
    """A batch could not be made; the message says why."""


def describe(error: Exception) -> UserError | LoaderFailed:
    """The error of a transform or record as an exception with one sentence."""
    if isinstance(error, UserError):
        return error
    where = traceback.extract_tb(error.__traceback__)[-1]
    return LoaderFailed(f"{type(error).__name__} in {where.filename}, line {where.lineno}: {error}")


class Line(NamedTuple):
    """A worker process and its batches, followed by None when it has ended."""

    process: multiprocessing.process.BaseProcess
    batches: queue.Queue
    reader: threading.Thread


class Workers:
    """An endless iterator over `source[first]`, `source[first + 1]`, ..., computed by worker processes in turn.

    Workers ignore SIGINT and SIGTERM, which often go to all processes of a run, and end with the process that started
    them. Raises LoaderFailed where a worker dies or returns nothing for 5 minutes, and UserError where `source` does.
    """

    def __init__(self, source: Sequence, processes: int, first: int):
        self._lines: list[Line] = []
        self.close = weakref.finalize(self, _end, self._lines)
        content = pickle.dumps(source)
        # started in a thread of its own, where signals are blocked and handlers raise no exceptions
        with ThreadPoolExecutor(1, initializer=_block) as starter:
            for number in range(processes):
                starter.submit(_start, self._lines, content, first + number, processes).result()
        self._turns = itertools.cycle(self._lines)

    def __iter__(self):
        return self

    def __next__(self) -> Any:
        line = next(self._turns)
        for _ in range(PATIENCE):  # not a deadline: the clock goes on while all processes are suspended
            lost = next((each.process for each in self._lines if each.process.exitcode), None)
            if lost is not None:
                raise LoaderFailed(f"a loader process ended before the run ({_ended(lost.exitcode)})")
            with contextlib.suppress(queue.Empty):
                batch = line.batches.get(timeout=1)
                break
        else:
            number = line.process.pid
            raise LoaderFailed(
                f"a loader process, {number}, returned nothing for {PATIENCE} seconds: it hangs or is stopped"
            )
        if batch is None:
            line.process.join(PATIENCE)
            raise LoaderFailed(f"a loader process ended before the run ({_ended(line.process.exitcode)})")
        if isinstance(batch, Exception):
            raise batch
        return batch


def _ended(status: int | None) -> str:
    if -status == getattr(signal, "SIGKILL", None):  # Windows has none
        return "killed, perhaps as the memory was full: fewer processes or a smaller batch_size take less"
    return f"by signal {-status}" if status < 0 else f"with status {status}"


def _block() -> None:
    if hasattr(signal, "pthread_sigmask"):
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # it ignores signals itself; its start would unblock them here
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Processes started within the block do not import the main script, which may train on import."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start(lines: list[Line], content: bytes, first: int, step: int) -> None:
    context = multiprocessing.get_context("spawn")  # a fork inherits locks of threads that it lacks
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, content, first, step), daemon=True)
    needs_main = b"__main__" in content  # a transform that is defined there
    with contextlib.nullcontext() if needs_main else _without_main():
        process.start()
    theirs.close()  # or our end never sees theirs close
    batches: queue.Queue = queue.Queue(AHEAD)
    reader = threading.Thread(target=_read, args=(ours, batches), daemon=True)
    reader.start()
    lines.append(Line(process, batches, reader))


def _read(pipe: Connection, batches: queue.Queue) -> None:
    try:
        with pipe, contextlib.suppress(EOFError, OSError):
            while True:
                batches.put(_receive(pipe))
    finally:
        batches.put(None)


def _end(lines: list[Line]) -> None:
    """Kills the workers, which have nothing to save."""
    for line in lines:
        line.process.kill()
    for line in lines:
        while line.reader.is_alive():
            with contextlib.suppress(queue.Empty):
                line.batches.get(timeout=0.1)
        line.process.join()
    lines.clear()


# in the process


def _work(pipe: Connection, content: bytes, first: int, step: int) -> None:
    for number in SIGNALS:  # where they cannot be blocked
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    with contextlib.suppress(OSError):  # the reader has closed the pipe
        for batch in _made(content, first, step):
            _send(pipe, batch)
    sys.exit()


def _follow() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _made(content: bytes, first: int, step: int) -> Iterator[dict | Exception]:
    try:
        source = pickle.loads(content)
        for index in itertools.count(first, step):
            yield source[index]
    except Exception as error:
        yield describe(error)


# through the pipe


def _send(pipe: Connection, thing: Any) -> None:
    """Sends arrays without a copy in the pickle."""
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(thing, protocol=5, buffer_callback=arrays.append)
    parts = [array.raw() for array in arrays]
    pipe.send((head, [part.nbytes for part in parts]))
    for part in parts:
        pipe.send_bytes(part)


def _receive(pipe: Connection) -> Any:
    head, sizes = pipe.recv()
    parts = [bytearray(size) for size in sizes]
    for part in parts:
        pipe.recv_bytes_into(part)
    return pickle.loads(head, buffers=parts)
