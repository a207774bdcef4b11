"""Methods with all keys at their defaults: a frozen CTC probe of each, and the same probe of random weights.

    python benchmarks/defaults.py --data DATA --output runs/defaults

DATA holds captcha sites `cap_lzu` and `cap_zf_old`, each with `labels.csv` (file,text,split). Every method is
pretrained on the two together for --steps batches, all keys at their defaults. Then a linear CTC head is trained on the
frozen frames, of the pretrained encoder and of one with random weights, and evaluated on the test splits. Finished
parts are kept: the same command continues. Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from commands import write
from runs import pretrained, probe

from seqclr.config import load_yaml
from seqclr.methods import METHODS

SITES = ("cap_lzu", "cap_zf_old")
DEFAULT_METHODS = ["simclr", "simsiam", "byol", "vicreg", "w_mse"]


def measure(method: str, sites: list[Path], output: Path, steps: int) -> dict:
    """The row of a method: edit-distance accuracy of both probes, speed, memory and warnings of the pretraining."""
    run = output / method
    result = pretrained(method, run, sites, steps, {})
    if result is None:
        sys.exit(f"defaults: {method} refuses lines with no other key")
    new = output / f"untrained-{load_yaml(run / 'config.yaml')['encoder']}.json"
    return result | {
        "probe": probe(run, "ctc", sites, run.with_suffix(".ctc.json")),
        "untrained": probe(run, "ctc", sites, new, "--untrained"),
    }


def table(rows: dict[str, dict]) -> str:
    lines = ["| method | probe | random weights | images/s | MiB | warnings |", "|---|---|---|---|---|---|"]
    for name, row in rows.items():
        figures = f"{row['probe']:.3f} | {row['untrained']:.3f} | {row['images_per_second']:.0f} | {row['memory_mib']}"
        lines.append(f"| `{name}` | {figures} | {' '.join(row['warnings'])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=DEFAULT_METHODS, choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    sites = [args.data / name for name in SITES]
    missing = [site.name for site in sites if not site.is_dir()]
    if missing:
        parser.error(f"{args.data} holds no folder {missing[0]}")
    rows: dict[str, dict] = {}
    for name in args.methods:
        done = args.output / f"{name}.json"
        if not done.is_file():
            args.output.mkdir(parents=True, exist_ok=True)
            try:
                row = measure(name, sites, args.output, args.steps)
            except subprocess.CalledProcessError as error:
                sys.exit(f"defaults: {name}: {error}")
            done.write_text(json.dumps(row, indent=1))
        rows[name] = json.loads(done.read_text())
        print(table(rows), flush=True)
    write(args.output, table(rows), f"{args.steps} steps, sites {' and '.join(SITES)}.", rows)


if __name__ == "__main__":
    main()
