"""What the benchmarks share: running the command line, and saying what ran."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple


def seqclr(*words: object) -> None:
    """Runs a verb; subprocess.CalledProcessError where it fails."""
    subprocess.run([sys.executable, "-m", "seqclr", *map(str, words)], check=True)


class Measured(NamedTuple):
    code: int
    seconds: float
    mib: int  # the most that was resident, of the process and each of its own


def measured(*words: object) -> Measured:
    """Runs a verb, whatever comes of it."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "seqclr", *map(str, words)])
    _, status, usage = os.wait4(process.pid, 0)
    return Measured(os.waitstatus_to_exitcode(status), time.perf_counter() - start, usage.ru_maxrss // 1024)


def sites_and_pool(data: Path) -> tuple[list[Path], list[Path]]:
    """The folders `cap_*` of labelled sites, and these with the folders `unl_*` without labels; exits without any."""
    sites = sorted(data.glob("cap_*"))
    if not sites:
        sys.exit(f"{data} holds no folder cap_*: give the folder that holds one folder a site")
    return sites, [*sites, *sorted(data.glob("unl_*"))]


def write(output: Path, table: str, foot: str, results: dict) -> None:
    """A table and what it was made of."""
    (output / "table.md").write_text(f"{table}\n\n{foot} {circumstances()}\n")
    (output / "results.json").write_text(json.dumps(results, indent=1))


def circumstances() -> str:
    """The commit and the machine, for the foot of a table."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return f"Commit {commit or 'unknown'}, {os.cpu_count()} cores."
