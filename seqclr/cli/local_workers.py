"""Several workers of one training on this machine. Only the workers import TensorFlow."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from seqclr.engine.signals import NUMBERS
from seqclr.errors import UserError

PATIENCE = 60  # seconds after one worker has failed until the others are killed


def launch(count: int, words: Sequence[str]) -> int:
    """Runs a training verb in several worker processes; returns the status of the first that failed, or 0.

    The chief's output is shown unchanged, that of the others with their number as prefix. Ctrl-C and SIGTERM are passed
    to the workers, which also stop when this process ends. Raises UserError where `words` do not begin with a training
    verb.
    """
    if count < 1:
        raise UserError(f"--local {count}: at least 1")
    if not words or words[0] not in ("pretrain", "finetune", "adapt"):
        raise UserError("give a training verb after --, such as: launch --local 2 -- pretrain --data ...")
    hosts = ",".join(f"localhost:{port}" for port in free_ports(count))
    command = [sys.executable, "-m", "seqclr.cli.worker", *words, "--workers", hosts, "--worker"]
    joined = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    workers: list[subprocess.Popen] = []
    signals: list[int] = []
    before = {number: signal.signal(number, lambda number, _: signals.append(number)) for number in NUMBERS}
    try:
        for i in range(count):
            # sessions of their own: they get Ctrl-C from this process only
            pipes = {"stdin": subprocess.PIPE, **(joined if i else {})}
            workers.append(subprocess.Popen([*command, str(i)], start_new_session=True, **pipes))
        for i, worker in enumerate(workers[1:], 1):
            threading.Thread(target=echo, args=(f"worker {i}: ", worker.stdout), daemon=True).start()
        return wait(workers, signals)
    finally:
        for worker in workers:
            worker.kill()
        for number, handler in before.items():
            signal.signal(number, handler)


def echo(prefix: str, stream) -> None:
    for line in filter(str.strip, stream):
        print(prefix + line.rstrip(), file=sys.stderr, flush=True)


def send(workers: Sequence[subprocess.Popen], number: int) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(number)


def wait(workers: Sequence[subprocess.Popen], signals: list[int]) -> int:
    """Waits for all workers and passes signals to them. After one fails, the others have PATIENCE seconds to end."""
    failed, deadline = 0, float("inf")
    while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
        while signals:
            number = signals.pop(0)
            if sys.platform != "win32":  # there, Ctrl-C reaches all processes of a console
                send(workers, number)
        if not failed:
            failed = next((worker.returncode for worker in workers if worker.returncode), 0)
            deadline = time.monotonic() + PATIENCE if failed else deadline
        time.sleep(0.2)
    return failed or next((worker.returncode for worker in workers if worker.returncode), 0)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that are free at present."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
