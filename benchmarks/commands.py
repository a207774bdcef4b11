"""Shared by the benchmarks: running commands, and reporting commit and machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


def seqclr(*words: object) -> None:
    """Runs a verb. Raises subprocess.CalledProcessError where it fails."""
    subprocess.run([sys.executable, "-m", "seqclr", *map(str, words)], check=True)


class Measured(NamedTuple):
    code: int
    seconds: float
    mib: int  # peak resident memory of the largest process
    cpu_seconds: float  # of all processes


def measured(*words: object) -> Measured:
    """Runs a verb and returns its exit code, time, memory and CPU time."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "seqclr", *map(str, words)])
    _, status, usage = os.wait4(process.pid, 0)
    return Measured(os.waitstatus_to_exitcode(status), time.perf_counter() - start, usage.ru_maxrss // 1024,
                    usage.ru_utime + usage.ru_stime)  # fmt: skip


def sites_of(data: Path, names: Sequence[str] | None = None) -> list[Path]:
    """The folders of labelled sites: of these names, by default all `cap_*`. Exits if there is none."""
    sites = sorted(data.glob("cap_*")) if names is None else [data / name for name in names]
    missing = next((site for site in sites if not (site / "labels.csv").is_file()), None if sites else data / "cap_*")
    if missing:
        sys.exit(f"{missing} holds no labels.csv: give the folder that holds one folder per site")
    return sites


def sites_and_pool(data: Path) -> tuple[list[Path], list[Path]]:
    """The folders of labelled sites, and the pool: these and the unlabelled folders `unl_*`."""
    sites = sites_of(data)
    return sites, [*sites, *sorted(data.glob("unl_*"))]


def keep_settings(output: Path, settings: dict) -> None:
    """Writes settings.json. Exits where the folder holds results of other settings, which would be mixed with these."""
    file = output / "settings.json"
    output.mkdir(parents=True, exist_ok=True)
    if file.is_file() and json.loads(file.read_text()) != settings:
        sys.exit(f"{output} holds results of other settings ({file.read_text()}): give another --output")
    file.write_text(json.dumps(settings))


def write(output: Path, table: str, foot: str, results: dict) -> None:
    """Writes table.md, with commit and machine, and results.json."""
    (output / "table.md").write_text(f"{table}\n\n{foot} {circumstances()}\n")
    (output / "results.json").write_text(json.dumps(results, indent=1))


def circumstances() -> str:
    """The commit and the machine, for the foot of a table."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return f"Commit {commit or 'unknown'}, {os.cpu_count()} cores."
