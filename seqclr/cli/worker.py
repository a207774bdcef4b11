"""A worker of a training on this machine: the program, which stops when its launcher is gone."""

from __future__ import annotations

import os
import signal
import threading
from typing import NoReturn

from seqclr.cli import program


def work() -> NoReturn:
    """Runs the program, and sends it SIGTERM when stdin, which the launcher holds open, ends."""

    def follow():
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()
    program()


if __name__ == "__main__":
    work()
