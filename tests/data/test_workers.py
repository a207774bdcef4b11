"""Batches made in other processes: none of them is waited for in vain, outlives the run, or hears its signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from seqclr.data import workers
from seqclr.data.workers import LoaderFailed, Workers
from seqclr.errors import UserError


class Squares:
    """Batches of a MiB, in one of which something goes wrong."""

    def __init__(self, bad: int | None = None, error: Exception | None = None):
        self.bad, self.error = bad, error

    def __getitem__(self, index: int) -> dict:
        if index == self.bad:
            raise self.error
        return {"pixels": np.full((1024, 1024), index % 256, np.uint8), "square": np.int64([index**2]), "none": []}


@pytest.fixture
def pool():
    made = []

    def pool(source=None, processes=2, first=0) -> Workers:
        made.append(Workers(source or Squares(), processes, first))
        return made[-1]

    yield pool
    for each in made:
        each.close()


def processes(pool: Workers) -> list:
    return [line.process for line in pool._lines]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 3)


def test_batches_come_in_their_order_and_can_be_written_to(pool):
    started = pool(first=5)
    for index in range(5, 20):
        batch = next(started)
        assert batch["square"].tolist() == [index**2] and batch["none"] == []
        assert (batch["pixels"] == index % 256).all()
        batch["pixels"][0] = 7


@pytest.mark.parametrize(
    "error, kind, told",
    [
        (UserError("x.png is damaged"), UserError, "^x.png is damaged$"),
        (ZeroDivisionError("no"), LoaderFailed, r"^ZeroDivisionError in .*test_workers.py, line \d+: no$"),
    ],
)
def test_what_goes_wrong_in_a_batch_is_reported_when_it_is_its_turn(pool, error, kind, told):
    started = pool(Squares(3, error))
    assert [int(next(started)["square"][0]) for _ in range(3)] == [0, 1, 4]
    with pytest.raises(kind, match=told):
        next(started)


def test_signals_are_none_of_their_business_from_the_start(pool):
    """They are sent before anything that Python says has been run there."""
    started = pool()
    for process in processes(started):
        for number in workers.SIGNALS:
            os.kill(process.pid, number)
    for index in range(10):
        assert next(started)["square"] == index**2


@pytest.mark.parametrize("taken", [0, 3])
def test_one_that_is_killed_ends_it_in_a_moment(pool, taken):
    """At its start, and while it writes: its pipe is full."""
    started = pool()
    for _ in range(taken):
        next(started)
    if taken:
        time.sleep(0.5)
    processes(started)[1].kill()
    began = time.monotonic()
    with pytest.raises(LoaderFailed, match="^a loader process ended before the run .killed, perhaps as the memory"):
        for _ in range(1000):
            next(started)
    assert time.monotonic() - began < 5


def test_one_that_is_stopped_is_noticed_and_does_not_outlive_the_end(pool, quick):
    started = pool()
    next(started)
    held = processes(started)
    os.kill(held[1].pid, signal.SIGSTOP)
    with pytest.raises(LoaderFailed, match=f"a loader process, {held[1].pid}, returned nothing for 3 seconds"):
        for _ in range(20):
            next(started)
    began = time.monotonic()
    started.close()
    assert time.monotonic() - began < 2 and not any(process.is_alive() for process in held)


PARENT = """
import os, signal, sys, time
from tests.data.test_workers import Squares, processes
from seqclr.data.workers import Workers

# at the top level: the workers do not import the script again
pool = Workers(Squares(), 2, 0)
if sys.argv[1] == "working":
    next(pool)
print(*[process.pid for process in processes(pool)], flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "raises":
    raise SystemExit(3)
"""


@pytest.mark.parametrize("when", ["starting", "working"])
@pytest.mark.parametrize("end, status", [("killed", -signal.SIGKILL), ("raises", 3), ("returns", 0)])
def test_none_outlives_its_parent_and_none_says_a_word(tmp_path, when, end, status):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    # returns when nobody is left who could write to its output
    command = [sys.executable, script, when, end]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == status and len(done.stdout.split()) == 2 and done.stderr == ""


def test_the_end_of_a_process_is_told_on_a_system_without_sigkill(monkeypatch):
    monkeypatch.setattr(workers, "signal", SimpleNamespace())
    assert workers._ended(1) == "with status 1"
