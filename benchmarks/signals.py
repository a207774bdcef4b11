"""Does a run that is told to stop, at any moment of its process, lose or leave anything?

    python benchmarks/signals.py --data DATA [--signals 100] [--method simclr] [--steps 40] [key=value ...]

One deterministic run is left alone. Others are sent a signal at a moment drawn from the time that the process of the
first one took, from its start to its end: SIGINT or SIGTERM, once or twice, to the process or to its group (as a
terminal does), and are then resumed, over and over. Each time the exit code must be one that is documented, stderr
without a traceback, no process and no temporary file left, and what is written must be nothing or a run that can be
resumed, which in the end is bitwise the first one. Prints a line a signal and a table; exits with 1 if anything was
wrong. Signals that the interpreter gets before it has read the program end it in its own way and are counted apart.
POSIX alone.
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
PATIENCE = 120  # seconds that it may take to stop
NOISE = ("Traceback", "Exception ignored", "can only join", "resource_tracker")


class Try:
    """A process that trains in a folder, or goes on there."""

    def __init__(self, words: list[str], run: Path, folder: Path):
        self.run, self.said, self.temporary = run, folder / "said.txt", folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "seqclr", *words, "--output", str(run)]
        command += ["--resume"] if (run / "config.yaml").is_file() else []
        self.began = time.perf_counter()
        with open(self.said, "w") as stream:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stream,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                start_new_session=True,
            )

    def send(self, number: int, group: bool) -> bool:
        """Whether there was somebody to hear it."""
        if self.process.poll() is not None:
            return False
        (os.killpg if group else os.kill)(self.process.pid, number)
        return True

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def left(self) -> bool:
        """Whether a process of its group is there a while after it."""
        for _ in range(50):
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return False
            time.sleep(0.1)
        os.killpg(self.process.pid, signal.SIGKILL)
        return True

    def end(self, number: int) -> tuple[str, list[str]]:
        """How it ended, once a signal of that number was sent, and what is wrong with that."""
        code, said = self.process.returncode, self.said.read_text()
        done = str(self.run) in self.process.stdout.read().decode()
        wrong = [f"{noise} in stderr" for noise in NOISE if noise in said]
        wrong += ["a process left"] if self.left() else []
        wrong += [f"{path.name} left" for path in self.temporary.iterdir()]
        if self.run.exists() and not (self.run / "config.yaml").is_file():
            wrong += [f"{path.name} without config.yaml" for path in self.run.iterdir() if path.suffix != ".partial"]
        if code == -number:  # where the program has not begun, a traceback is the interpreter's own
            begun = "__main__.py" in said
            return "before the program", [fault for fault in wrong if begun or "Traceback" not in fault]
        saved, ended = "--resume goes on" in said, {128 + number}
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
        first = Try(words, alone := next(runs), folder)
        if first.wait() and first.process.returncode:
            sys.exit(first.said.read_text())
        seconds, expected = time.perf_counter() - first.began, contents(alone)
        print(f"alone: {seconds:.1f} s, {args.steps} steps", flush=True)
        run = next(runs)
        while sum(kinds.values()) < args.signals:
            number, times, group = random.choice(NUMBERS), random.choice((1, 2)), random.random() < 0.5
            attempt, moment, gap = Try(words, run, folder), random.uniform(0, seconds), random.uniform(0, 2)
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
            at = f"{name} at {moment:.1f} s" if sent else "left alone"
            print(f"{sum(kinds.values())}: {at}: {how}{kept}{': ' if wrong else ''}{', '.join(wrong)}", flush=True)
            if wrong:
                faults += 1
                print(attempt.said.read_text(), flush=True)
                run = next(runs)
    columns = ("saved", "stopped at once", "done", "before the program", "hangs")
    print(f"| signals | {' | '.join(columns)} | ends | wrong |\n|{' --- |' * (len(columns) + 3)}")
    figures = (sum(kinds.values()), *(kinds[name] for name in columns), ends, faults)
    print(f"| {' | '.join(map(str, figures))} |\n{circumstances()}")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
