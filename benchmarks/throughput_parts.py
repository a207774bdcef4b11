"""Shared by both sides of throughput.py: settings, host-side work, and measurement of time and memory.

It imports neither TensorFlow nor PyTorch, and starts no process.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from seqclr.data import images
from seqclr.data.discovery import find_unlabelled
from seqclr.transforms.two_views import TwoViews

HEIGHT, WIDTH, VIEWS = 32, 128, "article"
PROCESSES = max(1, (os.cpu_count() or 1) // 2)  # loader processes: seqclr's default
BUFFER = 4  # prefetched batches per loader process: seqclr's
CLIP, LEARNING_RATE, WEIGHT_DECAY, SMOOTH = (
    1.0,
    1e-3,
    0.01,
    0.05,
)  # SMOOTH: fraction of warm-up steps
WARMUP = 10  # steps before the clock starts
CACHED = 4  # prepared batches for the step alone


def arguments() -> argparse.Namespace:
    """The arguments that throughput.py passes to a side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", required=True)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    return parser.parse_args()


class Clock:
    """Times a loop that calls `tick` after every step, from the end of the warm-up on.

    seconds: of the steps after the warm-up. memory: MiB of all processes at the last step.
    """

    def __init__(self, steps: int):
        self.steps, self.ticks, self.began = WARMUP + steps, 0, 0.0
        self.seconds, self.memory = 0.0, None

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks == WARMUP:
            self.began = time.perf_counter()
        if self.ticks == self.steps:
            self.seconds = time.perf_counter() - self.began
            self.memory = resident()


def seconds_of(function: Callable, *args) -> float:
    began = time.perf_counter()
    function(*args)
    return time.perf_counter() - began


def alone(step: Callable, batches: Sequence, steps: int) -> float:
    """Seconds of `steps` steps on prepared batches."""
    for batch in batches:
        step(batch)
    return seconds_of(lambda: [step(batches[i % len(batches)]) for i in range(steps)])


def host_parts(data: Sequence[str], batch_size: int, times: int) -> dict[str, float]:
    """Seconds per batch in one process: reading and decoding its images, and making their views."""
    samples, transform, rng = find_unlabelled(data), TwoViews(VIEWS), np.random.default_rng(0)
    chosen = [[samples[i] for i in rng.integers(len(samples), size=batch_size)] for _ in range(times)]
    records = [record(sample, 0) for sample in chosen[0]]
    return {
        "decode": median(seconds_of(lambda batch: [record(sample, 0) for sample in batch], batch) for batch in chosen),
        "views": median(seconds_of(lambda: [transform(r, rng) for r in records]) for _ in range(times)),
    }


def record(sample, index: int) -> dict:
    """A record as seqclr's loader fits it."""
    image, _ = images.fit(images.decode(sample.read_bytes(), sample.name), HEIGHT, WIDTH, "stretch")
    return {"image": image, "index": np.int32(index)}


def median(values) -> float:
    return statistics.median(values)


def resident() -> float | None:
    """MiB of this process and its descendants, shared pages counted once (PSS); None where there is no /proc."""
    if not Path("/proc/self/smaps_rollup").exists():
        return None
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    tree = {os.getpid()}
    while more := {process for process, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return sum(_pss(process) for process in tree) / 1024


def _pss(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def report(figures: dict) -> None:
    """Prints the figures for throughput.py, as the last line of the output."""
    print(json.dumps(figures), flush=True)
