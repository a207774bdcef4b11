"""Checks that a run that is killed and resumed ends bitwise like an uninterrupted run.

    python benchmarks/kills.py --data DATA [--kills 20] [--method simclr] [--steps 200] [key=value ...]

One deterministic run is not interrupted. Others are killed with SIGKILL at a random moment within the training time of
the first one, and resumed, again and again until they are done. Then metrics.csv, decision.json and all arrays of the
checkpoints must be equal to those of the first run, and the next run starts. `--method ctc` is fine-tuning. Prints a
line per kill and the number of equal runs; exits with 1 if any differs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from commands import circumstances


class Training:
    """A training that can be started in any folder, resumed and killed."""

    def __init__(self, words: list[str], folder: Path):
        self.words, self.folder = words, folder

    def run(self, run: Path, kill_after: float | None = None) -> float | None:
        """The training time in seconds until the run is done; None if it was killed after `kill_after` seconds."""
        config, log = run / "config.yaml", self.folder / "log.txt"
        command = [sys.executable, "-m", "seqclr", *self.words, "--output", str(run)]
        command += ["--resume"] if config.is_file() else []
        before = written(config)
        with open(log, "w") as stream:
            environment = {**os.environ, "TMPDIR": str(self.folder)}
            process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
        while written(config) == before and process.poll() is None:  # it is written just before the first step
            time.sleep(0.02)
        began = time.perf_counter()
        try:
            status = process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
        if status:
            sys.exit(f"{' '.join(command)} ended with {status}:\n{log.read_text()}")
        return time.perf_counter() - began


def written(file: Path) -> int | None:
    """The modification time in nanoseconds; None where there is no such file."""
    return file.stat().st_mtime_ns if file.is_file() else None


def contents(run: Path) -> dict[str, bytes]:
    """Everything that must be equal, by name."""
    found = {name: (run / name).read_bytes() for name in ("metrics.csv", "decision.json") if (run / name).is_file()}
    for file in sorted((run / "checkpoints").iterdir()):
        with np.load(file) as archive:
            found |= {f"{file.name}: {name}": archive[name].tobytes() for name in archive.files}
    return found


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def step_of(run: Path) -> int:
    """The step of the last checkpoint."""
    return max((int(file.stem.split("-")[1]) for file in (run / "checkpoints").glob("step-*.npz")), default=0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--method", default="simclr")
    parser.add_argument("--steps", type=int, default=200)
    args, keys = parser.parse_known_args()
    words = ["finetune"] if args.method == "ctc" else ["pretrain", "--method", args.method]
    words += ["--data", *args.data, "--deterministic", "--steps", str(args.steps)]
    words += [f"checkpoint_every={max(1, args.steps // 20)}", *keys]
    with tempfile.TemporaryDirectory() as folder:
        training, runs = Training(words, Path(folder)), (Path(folder) / f"run-{n}" for n in itertools.count())
        seconds = training.run(uninterrupted := next(runs))
        print(f"uninterrupted: {args.steps} steps in {seconds:.1f} s", flush=True)
        expected, kills, equal, ends = contents(uninterrupted), 0, 0, 0
        while kills < args.kills:
            run = next(runs)
            while kills < args.kills and training.run(run, moment := random.uniform(0, seconds)) is None:
                kills += 1
                print(f"kill {kills}: {run.name} {moment:.1f} s into training, step {step_of(run)} kept", flush=True)
            training.run(run)
            ends += 1
            wrong = differences(expected, contents(run))
            equal += not wrong
            found = f"differs in {len(wrong)} arrays or files, first in {wrong[0]}" if wrong else "is equal"
            print(f"end {ends}: {run.name} {found}", flush=True)
    print(f"{kills} kills, {equal} of {ends} ends bitwise equal. {circumstances()}")
    return int(equal < ends)


if __name__ == "__main__":
    sys.exit(main())
