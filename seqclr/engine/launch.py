"""Several workers of one training on this machine. It imports no TensorFlow: the workers do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import NoReturn

from seqclr.engine.signals import NUMBERS
from seqclr.errors import UserError

PATIENCE = 60  # seconds that the others have to end once one has failed


def launch(count: int, words: Sequence[str]) -> int:
    """Runs a verb that trains as so many workers; returns the status of the first that failed, or 0.

    What the chief says is shown as it is, what the others say with their number before it. Ctrl-C and SIGTERM are
    passed on, and workers whose launcher is gone stop as if told to. Raises UserError where there is no verb that
    trains.
    """
    if count < 1:
        raise UserError(f"--local {count}: at least 1")
    if not words or words[0] not in ("pretrain", "finetune"):
        raise UserError("give a verb that trains after --, such as: launch --local 2 -- pretrain --data ...")
    hosts = ",".join(f"localhost:{port}" for port in free_ports(count))
    command = [sys.executable, "-m", "seqclr.engine.launch", *words, "--workers", hosts, "--worker"]
    joined = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    workers: list[subprocess.Popen] = []
    told: list[int] = []
    before = {number: signal.signal(number, lambda number, _: told.append(number)) for number in NUMBERS}
    try:
        for i in range(count):
            # sessions of their own: a terminal's Ctrl-C comes from here, once
            pipes = {"stdin": subprocess.PIPE, **(joined if i else {})}
            workers.append(subprocess.Popen([*command, str(i)], start_new_session=True, **pipes))
        for i, worker in enumerate(workers[1:], 1):
            threading.Thread(target=repeat, args=(f"worker {i}: ", worker.stdout), daemon=True).start()
        return wait(workers, told)
    finally:
        tell(workers, signal.SIGKILL)
        for number, handler in before.items():
            signal.signal(number, handler)


def repeat(before: str, stream) -> None:
    for line in filter(str.strip, stream):
        print(before + line.rstrip(), file=sys.stderr, flush=True)


def tell(workers: Sequence[subprocess.Popen], number: int) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(number)


def wait(workers: Sequence[subprocess.Popen], told: list[int]) -> int:
    """Waits for all, and passes on what they are told; once one has failed, for the others a minute more."""
    failed, deadline = 0, float("inf")
    while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
        while told:
            tell(workers, told.pop(0))
        if not failed:
            failed = next((worker.returncode for worker in workers if worker.returncode), 0)
            deadline = time.monotonic() + PATIENCE if failed else deadline
        time.sleep(0.2)
    return failed or next((worker.returncode for worker in workers if worker.returncode), 0)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def work() -> NoReturn:
    """The program, told to stop when its launcher, who holds the other end of its stdin, is gone."""

    def follow():
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()
    from seqclr.cli import program

    program()


if __name__ == "__main__":
    work()
