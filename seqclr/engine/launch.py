"""Several processes on one machine, as workers of one training: for trying what many machines would do.

It imports no TensorFlow: the workers do.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from seqclr.errors import UserError

PATIENCE = 60  # seconds that the others have to end once one has failed


def launch(count: int, words: Sequence[str]) -> int:
    """Runs a verb that trains as so many workers on this machine; returns the status of the first that failed, or 0.

    The chief's words are shown as they are, those of the others with their number before them. Ctrl-C and SIGTERM are
    passed on. Raises UserError where there is no verb that trains.
    """
    if count < 1:
        raise UserError(f"--local {count}: at least 1")
    if not words or words[0] not in ("pretrain", "finetune"):
        raise UserError("give a verb that trains after --, such as: launch --local 2 -- pretrain --data ...")
    hosts = ",".join(f"localhost:{port}" for port in free_ports(count))
    command = [sys.executable, "-m", "seqclr.cli", *words, "--workers", hosts, "--worker"]
    processes = [subprocess.Popen([*command, str(i)]) for i in range(count)]
    before = {number: signal.signal(number, lambda number, _: tell(processes, number)) for number in SIGNALS}
    try:
        return wait(processes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


SIGNALS = (signal.SIGINT, signal.SIGTERM)


def tell(processes: Sequence[subprocess.Popen], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def wait(processes: Sequence[subprocess.Popen]) -> int:
    """Waits for all; once one has failed, the others are given a minute and then ended."""
    failed, deadline = 0, None
    while any(process.poll() is None for process in processes):
        failed = failed or next((process.poll() for process in processes if process.poll()), 0)
        deadline = deadline or (time.monotonic() + PATIENCE if failed else None)
        if deadline and time.monotonic() > deadline:
            tell(processes, signal.SIGKILL)
        time.sleep(0.2)
    return failed or next((process.poll() for process in processes if process.poll()), 0)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
