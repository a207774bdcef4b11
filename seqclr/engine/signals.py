"""Ctrl-C and SIGTERM, noted for the loop to stop after its step."""

from __future__ import annotations

import contextlib
import signal
import threading

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def noted():
    """Yields a list that the numbers of these signals go to; a second Ctrl-C stops at once."""
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return

    def note(number, frame):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        seen.append(number)

    before = {number: signal.signal(number, note) for number in NUMBERS}
    try:
        yield seen
    finally:
        for number, old in before.items():
            signal.signal(number, old)
