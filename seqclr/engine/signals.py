"""Handling of Ctrl-C and SIGTERM.

During imports they end the process (`leaving`); elsewhere they raise Stopped, so that work is cleaned up (`raising`);
the training loop collects them and stops after its step (`catch_signals`).
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """The signal `number` was received."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number

    def __str__(self) -> str:
        return "interrupted" if self.number == signal.SIGINT else f"stopped by {signal.Signals(self.number).name}"


@contextlib.contextmanager
def raising():
    """Signals raise Stopped; again where a destructor swallowed the exception."""

    def unraisable(what):
        if isinstance(what.exc_value, Stopped):
            threading.Timer(0.05, send_to_self, [what.exc_value.number]).start()
        else:
            hook(what)

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    try:
        with _handled(_raise):
            yield
    finally:
        sys.unraisablehook = hook


@contextlib.contextmanager
def leaving(stderr: int = 2):
    """Signals end the process: an exception in the middle of an import may be caught, or change what is imported.

    stderr: the file descriptor for the message.
    """

    def leave(number, frame):
        os.write(stderr, f"seqclr: {Stopped(number)}\n".encode())
        os._exit(128 + number)

    with _handled(leave):
        yield


@contextlib.contextmanager
def catch_signals():
    """Yields a list to which the numbers of received signals are appended; a second Ctrl-C raises Stopped."""
    seen: list[int] = []

    def note(number, frame):
        signal.signal(signal.SIGINT, _raise)
        seen.append(number)

    with _handled(note):
        yield seen


def send_to_self(number: int) -> None:
    """Sends this process a signal, from any thread."""
    if sys.platform == "win32":  # there, os.kill ends the process at once
        _thread.interrupt_main(number)
    else:
        os.kill(os.getpid(), number)


def ignore() -> None:
    """Ignores signals from now on, in a process that has finished."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def _raise(number, frame):
    raise Stopped(number)


@contextlib.contextmanager
def _handled(handler):
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in NUMBERS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
