"""A worker process of `launch`: the program, which stops when its launcher ends."""

from __future__ import annotations

import os
import signal
import threading
from typing import NoReturn

from seqclr.cli import program
from seqclr.engine.signals import send_to_self


def work() -> NoReturn:
    """Runs the program, and sends it SIGTERM when the launcher closes stdin."""

    def watch_stdin():
        while os.read(0, 1):
            pass
        send_to_self(signal.SIGTERM)

    threading.Thread(target=watch_stdin, daemon=True).start()
    program()


if __name__ == "__main__":
    work()
