"""All methods side by side: what probes read in frozen encoders after the same number of steps.

    python benchmarks/methods.py --data DATA --output runs/methods

DATA holds `img_cifar10`, images with a class as `text`, and captcha sites `cap_lzu` and `cap_zf_old`, each with
`labels.csv` (file,text,split). On the images a small ResNet is pretrained by each method, on the two sites together
the `tiny` text encoder, both for --steps batches of 64 (128 for w_mse); then k-NN, linear and CTC probes read the test
parts. The first row is of new weights. Images per second are those of the whole command, memory that of its largest
process. A method that cannot do the one or the other has an empty cell; one that collapses is in the table with what
the monitors said. Pretext tasks have a table of their own (pretext.py). What is done is kept: the same command goes on.
Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from commands import write
from pretext import TASKS
from runs import pretrained, probe

from seqclr.methods import METHODS

IMAGES, SITES = "img_cifar10", ("cap_lzu", "cap_zf_old")
PICTURES = {"encoder": "resnet9", "height": 32, "width": 32, "views": "images", "frames": "all", "batch_size": 64}
LINES = {"encoder": "tiny", "views": "strong", "batch_size": 64}
LEARNS_LABELS = {"classifier"}  # so it is no match for the others


def measure(method: str, data: Path, folder: Path, steps: int, untrained: bool) -> dict:
    """The row of a method; `untrained`: of new weights instead, of the same architecture."""
    flags = ["--untrained"] if untrained else []
    sites = [data / name for name in SITES]
    row: dict = {}
    for what, paths, keys, kinds in (
        ("pictures", [data / IMAGES], PICTURES, ("knn", "linear")),
        ("lines", sites, LINES, ("ctc",)),
    ):
        run = folder / what
        seen = pretrained(method, run, paths, steps, keys)
        if seen is not None:
            row[what] = seen | {kind: probe(run, kind, paths, folder / f"{kind}.json", *flags) for kind in kinds}
    return row


def table(rows: dict[str, dict]) -> str:
    head = ["method", "k-NN", "linear", "images/s", "MiB", "warnings", "frozen CTC", "lines/s", "MiB", "warnings"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in rows.items():
        cells = [name]
        for what, kinds in (("pictures", ("knn", "linear")), ("lines", ("ctc",))):
            seen = row.get(what)
            cells += [f"{seen[kind]:.3f}" if seen else "" for kind in kinds]
            trained = seen and name != "none"
            cells += [f"{seen['images_per_second']:.0f}", str(seen["memory_mib"])] if trained else ["", ""]
            cells.append(" ".join(seen["warnings"]) if trained else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument(
        "--methods", nargs="+", default=[name for name in METHODS if name not in LEARNS_LABELS | TASKS.keys()]
    )
    parser.add_argument("--steps", type=int, default=1000)
    args = parser.parse_args()
    missing = [name for name in (IMAGES, *SITES) if not (args.data / name).is_dir()]
    if missing:
        parser.error(f"{args.data} holds no folder {missing[0]}")
    rows: dict[str, dict] = {}
    for name in ["none", *args.methods]:
        folder = args.output / name
        done = folder / "result.json"
        if not done.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                row = measure("simclr" if name == "none" else name, args.data, folder,
                              1 if name == "none" else args.steps, name == "none")  # fmt: skip
            except subprocess.CalledProcessError as error:
                sys.exit(f"methods: {name}: {error}")
            done.write_text(json.dumps(row, indent=1))
        rows[name] = json.loads(done.read_text())
        print(table(rows), flush=True)
    foot = f"{args.steps} steps, pictures {IMAGES}, lines {' and '.join(SITES)}."
    write(args.output, table(rows), foot, rows)


if __name__ == "__main__":
    main()
