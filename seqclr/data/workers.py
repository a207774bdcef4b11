"""Processes that make batches ahead of the training. Host side.

Each has a pipe of its own: where a process is killed in the middle of a batch, the pipe ends, while a queue that all
may write to would be waited on for ever.
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

AHEAD = 4  # batches of each process that wait to be taken
PATIENCE = 300  # seconds that a batch may take
SIGNALS = {signal.SIGINT, signal.SIGTERM}


class LoaderFailed(Exception):
    """There are no more batches, and why."""


def describe(error: Exception) -> UserError | LoaderFailed:
    """What went wrong where a batch was made, in one sentence."""
    if isinstance(error, UserError):
        return error
    where = traceback.extract_tb(error.__traceback__)[-1]
    return LoaderFailed(f"{type(error).__name__} in {where.filename}, line {where.lineno}: {error}")


class Line(NamedTuple):
    """A process, and the batches that came from it; at the end None."""

    process: multiprocessing.process.BaseProcess
    batches: queue.Queue
    reader: threading.Thread


class Workers:
    """An endless iterator over `source[first]`, `source[first + 1]`, ..., made by so many processes in turns.

    A signal often goes to all processes of a run. These leave it to the one that saves, and end when that one does,
    however it ends. Raises LoaderFailed where a process dies or gives nothing for five minutes, and UserError where the
    source does.
    """

    def __init__(self, source: Sequence, processes: int, first: int):
        self._lines: list[Line] = []
        self.close = weakref.finalize(self, _end, self._lines)
        content = pickle.dumps(source)
        # A thread of its own starts them: it blocks signals for what it starts, and no exception of a handler meets it.
        with ThreadPoolExecutor(1, initializer=_block) as starter:
            for number in range(processes):
                starter.submit(_start, self._lines, content, first + number, processes).result()
        self._turns = itertools.cycle(self._lines)

    def __iter__(self):
        return self

    def __next__(self) -> Any:
        line = next(self._turns)
        for _ in range(PATIENCE):  # not a deadline: where all were suspended, the clock went on
            lost = next((each.process for each in self._lines if each.process.exitcode), None)
            if lost is not None:
                raise LoaderFailed(f"a loader process ended before the run ({_ended(lost.exitcode)})")
            with contextlib.suppress(queue.Empty):
                batch = line.batches.get(timeout=1)
                break
        else:
            number = line.process.pid
            raise LoaderFailed(
                f"a loader process, {number}, gave nothing for {PATIENCE} seconds: it hangs or is stopped"
            )
        if batch is None:
            line.process.join(PATIENCE)
            raise LoaderFailed(f"a loader process ended before the run ({_ended(line.process.exitcode)})")
        if isinstance(batch, Exception):
            raise batch
        return batch


def _ended(status: int | None) -> str:
    if status == -getattr(signal, "SIGKILL", None):
        return "killed, perhaps as the memory was full: fewer processes or a smaller batch_size take less"
    return f"by signal {-status}" if status < 0 else f"with status {status}"


def _block() -> None:
    if hasattr(signal, "pthread_sigmask"):
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # it ignores signals itself, and its start would unblock them here
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """A process that starts within it does not import the program again: that may be a script that trains as soon as it
    is imported, and would import TensorFlow."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start(lines: list[Line], content: bytes, first: int, step: int) -> None:
    context = multiprocessing.get_context("spawn")  # a fork would inherit locks of threads that it lacks
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, content, first, step), daemon=True)
    needs_main = b"__main__" in content  # a transform that is defined there
    with contextlib.nullcontext() if needs_main else _without_main():
        process.start()
    theirs.close()  # or our end would never see theirs close
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
    """They have nothing that could be left half done."""
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
    for number in SIGNALS:  # where they could not be blocked
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    with contextlib.suppress(OSError):  # nobody reads any more
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
    """Arrays go as they are, not copied into the pickle."""
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
