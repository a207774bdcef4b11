"""All methods side by side: what probes read in frozen encoders after the same number of steps.

    python benchmarks/methods.py --data DATA --output runs/methods

DATA holds `img_cifar10`, images with a class as `text`, and captcha sites `cap_lzu` and `cap_zf_old`, each with
`labels.csv` (file,text,split). Every method is pretrained three times for --steps batches of 64 (128 for w_mse): a
small ResNet on the images; the `tiny` text encoder on the two sites together, with correspondence by index; and where
the method can have it by geometry, the same with the recommended settings of docs/how/contrast.md. Then k-NN, linear
and CTC probes are evaluated on the test parts. The first row is of new weights. Images per second are those of the
whole command, memory that of its largest process. A method that cannot do the one or the other has an empty cell; one
that collapses is in the table with what the monitors said. Pretext tasks have a table of their own (pretext.py). What
is done is kept: the same command goes on. Writes table.md and results.json.
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
LEARNS_LABELS = {"classifier"}  # so it is no match for the others


class Part(NamedTuple):
    """On what data a method is pretrained, with which keys, and what reads the encoder."""

    data: tuple[str, ...]
    keys: dict
    probes: tuple[str, ...]


PARTS = {
    "pictures": Part(
        (IMAGES,),
        {"encoder": "resnet9", "height": 32, "width": 32, "views": "images", "frames": "all", "batch_size": 64},
        ("knn", "linear"),
    ),
    "lines": Part(SITES, {**LINES, "views": "strong"}, ("ctc",)),
    "cured lines": Part(SITES, {**RECOMMENDED, **LINES, "negatives": "images"}, ("ctc",)),
}
COLUMNS = {"knn": "k-NN", "linear": "linear", "ctc": "CTC"}


def measure(method: str, what: str, data: Path, folder: Path, steps: int, untrained: bool) -> dict | None:
    """What a method makes of a part, or new weights of the same architecture; None where it is not for such."""
    part, run = PARTS[what], folder / what.replace(" ", "_")
    if "correspondence" in part.keys and "correspondence" not in {
        field.name for field in dataclasses.fields(METHODS[method])
    }:
        return None
    keys = part.keys
    if what == "lines":  # of methods that match frames, the other kind than the default
        keys = {**keys, **{name: BY_INDEX[name] for name in METHODS[method].line_defaults.keys() & BY_INDEX.keys()}}
    paths, flags = [data / name for name in part.data], ["--untrained"] if untrained else []
    seen = pretrained(method, run, paths, steps, keys)
    if seen is None:
        return None
    return seen | {kind: probe(run, kind, paths, run.with_suffix(f".{kind}.json"), *flags) for kind in part.probes}


def table(rows: dict[str, dict]) -> str:
    head = ["method"]
    for what, part in PARTS.items():
        head += [f"{what}: {COLUMNS[kind]}" for kind in part.probes] + ["images/s", "MiB", "warnings"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in rows.items():
        cells = [name]
        for what, part in PARTS.items():
            seen = row[what]
            cells += [f"{seen[kind]:.3f}" if seen else "" for kind in part.probes]
            if seen and name != "none":
                cells += [f"{seen['images_per_second']:.0f}", str(seen["memory_mib"]), " ".join(seen["warnings"])]
            else:
                cells += [""] * 3
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
        rows[name] = {}
        for what in PARTS:
            done = args.output / name / f"{what.replace(' ', '_')}.json"
            if not done.is_file():
                done.parent.mkdir(parents=True, exist_ok=True)
                method, steps = ("simclr", 1) if name == "none" else (name, args.steps)
                try:
                    seen = measure(method, what, args.data, done.parent, steps, untrained=name == "none")
                except subprocess.CalledProcessError as error:
                    sys.exit(f"methods: {name}: {error}")
                done.write_text(json.dumps(seen, indent=1))
            rows[name][what] = json.loads(done.read_text())
        print(table(rows), flush=True)
    foot = f"{args.steps} steps, pictures {IMAGES}, lines {' and '.join(SITES)}."
    write(args.output, table(rows), foot, rows)


if __name__ == "__main__":
    main()
