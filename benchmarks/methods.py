"""All methods side by side: probes of frozen encoders after the same number of steps.

    python benchmarks/methods.py --data DATA --output runs/methods

DATA holds `img_cifar10`, images with a class as `text`, and captcha sites `cap_lzu` and `cap_zf_old`, each with
`labels.csv` (file,text,split). Every method is pretrained three times for --steps batches of 64 (128 for w_mse): a
small ResNet on the images; the `tiny` text encoder on the two sites together, with correspondence by index; and, for
methods with correspondence by geometry, the same with the recommended settings of docs/how/contrast.md. Then k-NN,
linear and CTC probes are evaluated on the test splits. The first row is of random weights. Images per second are those
of the complete command, memory is that of its largest process. A cell is empty where a method does not support the
data; a collapsed method has the warnings of the monitors. Pretext tasks have a table of their own (pretext.py).
Finished parts are kept: the same command continues. Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from commands import write
from pretext import TASKS
from runs import pretrained, probe

from seqclr.config import load_config
from seqclr.methods import METHODS

IMAGES, SITES = "img_cifar10", ("cap_lzu", "cap_zf_old")
LINES = {"encoder": "tiny", "batch_size": 64}
BY_INDEX = {"correspondence": "index", "layer": "transformer", "frames": "frames:5"}
RECOMMENDED = load_config("lines")
SUPERVISED = {"classifier", "clip"}  # not comparable with the others


class Part(NamedTuple):
    """The data and keys of a pretraining, and the probes of its encoder."""

    data: tuple[str, ...]
    keys: dict
    probes: tuple[str, ...]


PARTS = {
    "images": Part(
        (IMAGES,),
        {"encoder": "resnet9", "height": 32, "width": 32, "views": "images", "frames": "all", "batch_size": 64},
        ("knn", "linear"),
    ),
    "lines": Part(SITES, {**LINES, "views": "strong"}, ("ctc",)),
    "recommended lines": Part(SITES, {**RECOMMENDED, **LINES, "negatives": "images"}, ("ctc",)),
}
COLUMNS = {"knn": "k-NN", "linear": "linear", "ctc": "CTC"}


def measure(method: str, what: str, data: Path, folder: Path, steps: int, untrained: bool) -> dict | None:
    """The results of a method on a part, or of random weights; None where the method does not support the data."""
    part, run = PARTS[what], folder / what.replace(" ", "_")
    if "correspondence" in part.keys and "correspondence" not in {
        field.name for field in dataclasses.fields(METHODS[method])
    }:
        return None
    keys = part.keys
    if what == "lines":  # correspondence by index, not the default, for methods that have both
        keys = {**keys, **{name: BY_INDEX[name] for name in METHODS[method].line_defaults.keys() & BY_INDEX.keys()}}
    paths, flags = [data / name for name in part.data], ["--untrained"] if untrained else []
    result = pretrained(method, run, paths, steps, keys)
    if result is None:
        return None
    return result | {kind: probe(run, kind, paths, run.with_suffix(f".{kind}.json"), *flags) for kind in part.probes}


def table(rows: dict[str, dict]) -> str:
    head = ["method"]
    for what, part in PARTS.items():
        head += [f"{what}: {COLUMNS[kind]}" for kind in part.probes] + ["images/s", "MiB", "warnings"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in rows.items():
        cells = [name]
        for what, part in PARTS.items():
            result = row[what]
            cells += [f"{result[kind]:.3f}" if result else "" for kind in part.probes]
            if result and name != "none":
                cells += [f"{result['images_per_second']:.0f}", str(result["memory_mib"]), " ".join(result["warnings"])]
            else:
                cells += [""] * 3
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument(
        "--methods", nargs="+", default=[name for name in METHODS if name not in SUPERVISED | TASKS.keys()]
    )
    parser.add_argument("--steps", type=int, default=1000)
    args = parser.parse_args()
    missing = [name for name in (IMAGES, *SITES) if not (args.data / name).is_dir()]
    if missing:
        parser.error(f"{args.data} holds no folder {missing[0]}")
    rows: dict[str, dict] = {}
    for name in ["none", *args.methods]:
        rows[name] = {}
        for what in PARTS:
            done = args.output / name / f"{what.replace(' ', '_')}.json"
            if not done.is_file():
                done.parent.mkdir(parents=True, exist_ok=True)
                method, steps = ("simclr", 1) if name == "none" else (name, args.steps)
                try:
                    result = measure(method, what, args.data, done.parent, steps, untrained=name == "none")
                except subprocess.CalledProcessError as error:
                    sys.exit(f"methods: {name}: {error}")
                done.write_text(json.dumps(result, indent=1))
            rows[name][what] = json.loads(done.read_text())
        print(table(rows), flush=True)
    foot = f"{args.steps} steps, images {IMAGES}, lines {' and '.join(SITES)}."
    write(args.output, table(rows), foot, rows)


if __name__ == "__main__":
    main()
