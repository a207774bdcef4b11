"""Checks that a run that gets a signal at any moment of its process loses nothing and leaves nothing behind.

    python benchmarks/signals.py --data DATA [--signals 100] [--method simclr] [--steps 40] [key=value ...]

One deterministic run is not interrupted. Others get a signal at a random moment between the start and the end of the
process: SIGINT or SIGTERM, once or twice, to the process or to its group (as a terminal does), and are then resumed,
again and again. Each time the exit code must be a documented one, stderr without a traceback, no process and no
temporary file left, and the output nothing or a run that can be resumed; in the end the run is bitwise equal to the
first one. Prints a line per signal and a table; exits with 1 on any fault. Signals that arrive before the interpreter
has loaded the program end it in the interpreter's way and are counted separately. POSIX only.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from commands import circumstances
from kills import contents, differences, step_of

NUMBERS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 120  # most seconds until it stops
NOISE = ("Traceback", "Exception ignored", "can only join", "resource_tracker")


class Attempt:
    """A process that trains in a folder, or resumes there."""

    def __init__(self, words: list[str], run: Path, folder: Path):
        self.run, self.stderr, self.temporary = run, folder / "stderr.txt", folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "seqclr", *words, "--output", str(run)]
        command += ["--resume"] if (run / "config.yaml").is_file() else []
        self.began = time.perf_counter()
        with open(self.stderr, "w") as stream:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stream,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                start_new_session=True,
            )

    def send(self, number: int, group: bool) -> bool:
        """Sends a signal; returns whether the process was running."""
        if self.process.poll() is not None:
            return False
        (os.killpg if group else os.kill)(self.process.pid, number)
        return True

    def wait(self, seconds: float | None = None) -> bool:
        """Waits; returns whether it has ended."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def left(self) -> bool:
        """Whether a process of its group is still running after 5 seconds."""
        for _ in range(50):
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return False
            time.sleep(0.1)
        os.killpg(self.process.pid, signal.SIGKILL)
        return True

    def end(self, number: int) -> tuple[str, list[str]]:
        """How it ended after a signal of that number, and its faults."""
        code, output = self.process.returncode, self.stderr.read_text()
        done = str(self.run) in self.process.stdout.read().decode()
        wrong = [f"{noise} in stderr" for noise in NOISE if noise in output]
        wrong += ["a process left"] if self.left() else []
        wrong += [f"{path.name} left" for path in self.temporary.iterdir()]
        if self.run.exists() and not (self.run / "config.yaml").is_file():
            wrong += [f"{path.name} without config.yaml" for path in self.run.iterdir() if path.suffix != ".partial"]
        if code == -number:  # before the program starts, a traceback is the interpreter's own
            begun = "__main__.py" in output
            return "before the program", [fault for fault in wrong if begun or "Traceback" not in fault]
        saved, ended = "run the same command with --resume" in output, {128 + number}
        how = "done" if done else "saved" if saved else "stopped at once"
        if done or (saved and number == signal.SIGTERM):
            ended = {0} if done else {0, 128 + number}
        return how, [*wrong, *([] if code in ended else [f"exit code {code}"])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--method", default="simclr")
    parser.add_argument("--steps", type=int, default=40)
    args, keys = parser.parse_known_args()
    words = ["finetune"] if args.method == "ctc" else ["pretrain", "--method", args.method]
    words += ["--data", *args.data, "--deterministic", "--steps", str(args.steps), *keys]
    ends, kinds, faults = 0, collections.Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        folder, runs = Path(folder), (Path(folder) / f"run-{n}" for n in itertools.count())
        first = Attempt(words, uninterrupted := next(runs), folder)
        if first.wait() and first.process.returncode:
            sys.exit(first.stderr.read_text())
        seconds, expected = time.perf_counter() - first.began, contents(uninterrupted)
        print(f"uninterrupted: {seconds:.1f} s, {args.steps} steps", flush=True)
        run = next(runs)
        while sum(kinds.values()) < args.signals:
            number, times, group = random.choice(NUMBERS), random.choice((1, 2)), random.random() < 0.5
            attempt, moment, gap = Attempt(words, run, folder), random.uniform(0, seconds), random.uniform(0, 2)
            attempt.wait(moment)
            if sent := attempt.send(number, group):
                if times == 2 and not attempt.wait(gap):
                    attempt.send(number, group)
                hangs = not attempt.wait(PATIENCE)
                if hangs:
                    os.killpg(attempt.process.pid, signal.SIGKILL)
                    attempt.wait()
                how, wrong = ("hangs", ["it hangs"]) if hangs else attempt.end(number)
                kinds[how] += 1
            else:
                how, wrong = "done", [] if attempt.process.returncode == 0 else ["failed by itself"]
            if how == "done" and not wrong:
                ends += 1
                wrong = [f"{name} differs" for name in differences(expected, contents(run))[:1]]
                run = next(runs)
            name = signal.Signals(number).name + (" twice" if times == 2 else "") + (" to the group" if group else "")
            kept = f", step {step_of(run)} kept" if how != "done" and run.exists() else ""
            at = f"{name} at {moment:.1f} s" if sent else "no signal"
            print(f"{sum(kinds.values())}: {at}: {how}{kept}{': ' if wrong else ''}{', '.join(wrong)}", flush=True)
            if wrong:
                faults += 1
                print(attempt.stderr.read_text(), flush=True)
                run = next(runs)
    columns = ("saved", "stopped at once", "done", "before the program", "hangs")
    print(f"| signals | {' | '.join(columns)} | ends | wrong |\n|{' --- |' * (len(columns) + 3)}")
    figures = (sum(kinds.values()), *(kinds[name] for name in columns), ends, faults)
    print(f"| {' | '.join(map(str, figures))} |\n{circumstances()}")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
