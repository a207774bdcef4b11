"""Speed and memory of pretraining, the time of each part, and the same training in PyTorch.

    python benchmarks/throughput.py [--data DATA ...] [--steps 60] [--batch-size 96] [--methods simclr simsiam]

Trains the encoder `tiny` on images of 32x128 in float32 on the CPU, and prints a table per method: images per second of
the training step alone, on prepared batches, and of the complete loop, which reads, decodes and augments every image;
the memory of all processes at the end of the loop (PSS: shared pages count once); and the time of each part of a batch,
in milliseconds and as a share of their sum. Decode and views run in the loader's processes in parallel with the step;
their time is that of one process.

With PyTorch (`pip install '.[bench]'`), the table compares its loop: the same network, views, batch, optimizer and
number of loader processes (throughput_torch.py). Every run is a process of its own; the two alternate three times, and
medians are printed, also of the ratios. Memory is measured on Linux only.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from commands import circumstances

HERE = Path(__file__).parent
SIDES = {"seqclr": HERE / "throughput_seqclr.py", "PyTorch": HERE / "throughput_torch.py"}
TURNS = 3
COMPARED = ("step alone, images/s", "complete loop, images/s", "memory, MiB")


def run(side: str, method: str, args: argparse.Namespace) -> dict:
    """The figures of one process; exits where it fails."""
    words = ["--method", method, "--batch-size", args.batch_size, "--steps", args.steps, "--data", *args.data]
    done = subprocess.run(
        [sys.executable, SIDES[side], *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    if done.returncode:
        sys.exit(f"{side} failed on {method}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def turns(method: str, sides: list[str], args: argparse.Namespace) -> dict[str, list[dict]]:
    """The figures of every turn, by side. Both networks must have the same number of parameters."""
    found = {side: [] for side in sides}
    for turn in range(TURNS):
        for side in sides:
            found[side].append(figures := run(side, method, args))
            print(f"{method}, turn {turn + 1} of {TURNS}, {side}: {figures['loop']:.0f} images/s", file=sys.stderr)
    sizes = {side: figures[0]["parameters"] for side, figures in found.items()}
    assert len(set(sizes.values())) == 1, f"the networks differ: {sizes}"
    return found


def named(figures: dict) -> dict[str, float]:
    """The figures of a turn, by row name."""
    spent, memory = figures["parts"], figures["memory"]
    return {
        "step alone, images/s": figures["alone"],
        "complete loop, images/s": figures["loop"],
        "slowdown of the loop, %": 100 * (1 - figures["loop"] / figures["alone"]),
        **({} if memory is None else {"memory, MiB": memory}),
        **{f"{part}, ms": 1000 * seconds for part, seconds in spent.items()},
        **{f"{part}, %": 100 * seconds / sum(spent.values()) for part, seconds in spent.items()},
    }


def table(method: str, found: dict[str, list[dict]]) -> str:
    """The medians, in Markdown. found: the figures of every turn, by side, seqclr's first."""
    columns = {side: [named(figures) for figures in figures_of_turns] for side, figures_of_turns in found.items()}
    ratios = len(columns) > 1
    rows = [[method, *columns, *(["ratio"] if ratios else [])]]
    rows.append(["---"] * len(rows[0]))
    for name in columns["seqclr"][0]:
        values = {side: [figures[name] for figures in column] for side, column in columns.items()}
        rows.append([name, *(f"{statistics.median(value):.1f}" for value in values.values())])
        if ratios and name in COMPARED:
            rows[-1].append(f"{statistics.median(ours / theirs for ours, theirs in zip(*values.values())):.2f}")
        elif ratios:
            rows[-1].append("")
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=[HERE.parent / "data_samples"])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=96)
    parser.add_argument("--methods", nargs="+", default=["simclr", "simsiam"], choices=["simclr", "simsiam"])
    args = parser.parse_args()
    sides = [side for side in SIDES if side == "seqclr" or importlib.util.find_spec("torch")]
    for method in args.methods:
        found = turns(method, sides, args)
        print(table(method, found), end="\n\n", flush=True)
    versions = ", ".join(found[side][-1]["about"] for side in sides)
    print(f"{found['seqclr'][0]['parameters']:,} parameters. {versions}. {circumstances()}")
    if "PyTorch" not in sides:
        print("PyTorch is not installed: pip install '.[bench]' adds it to the comparison.")


if __name__ == "__main__":
    main()
