"""Ablation of the recommended settings: short pretrainings that differ in one key, evaluated by a frozen CTC probe.

    pip install ".[bench]"
    python benchmarks/ablation.py --data DATA --output runs/ablation

DATA holds a folder per site: `cap_*` with `labels.csv` (file,text,split), and `unl_*` without labels. The rows are
those of benchmarks/ablation.yaml. Each pretrains on the train splits of all of DATA for --steps. Then a linear CTC head
is trained on the frozen features of the CNN and of the Transformer, with --labels labels per site, and evaluated on the
test splits. Finished parts are kept: the same command continues. Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import yaml
from commands import seqclr, sites_and_pool, write

LAYERS = ("cnn", "transformer")


def measure(row: dict, sites: list[Path], pool: list[Path], folder: Path, steps: int, labels: int) -> dict:
    """The probe results of one row, by layer, and the last metrics of its pretraining."""
    run = folder / "pretrain"
    words = [f"{key}={value}" for key, value in {**row, "steps": steps}.items() if value is not None]
    resume = ["--resume"] if (run / "config.yaml").is_file() else []
    seqclr("pretrain", "--data", *pool, "--output", run, *resume, *words)
    with open(run / "metrics.csv", newline="") as stream:
        last = list(csv.DictReader(stream))[-1]
    return {"pretraining": last, **probes(run, sites, folder, labels)}


def probes(run: Path, sites: list[Path], folder: Path, labels: int, *flags: str) -> dict:
    """Edit-distance accuracy of a linear head on the features of each layer."""
    result = {}
    for layer in LAYERS:
        file = folder / f"{layer}.json"
        seqclr("probe", "--model", run, "--data", *sites, "--labels", labels, "--layer", layer, "--json", file, *flags)
        result[layer] = json.loads(file.read_text())["edit_distance_accuracy"]
    return result


def table(results: dict[str, dict]) -> str:
    figures = ("loss", "monitor/position_share", "monitor/image_share", "monitor/rank")
    head = [
        "pretraining",
        "probe, CNN",
        "probe, Transformer",
        "loss",
        "position share",
        "image share",
        "rank",
        "warnings",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in results.items():
        values = [row["pretraining"].get(figure) for figure in figures]
        cells = [name, *(f"{row[layer]:.3f}" for layer in LAYERS), *(f"{float(v):.3g}" if v else "" for v in values)]
        lines.append("| " + " | ".join([*cells, str(row["pretraining"].get("warning", ""))]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rows", type=Path, default=Path(__file__).with_suffix(".yaml"))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--labels", type=int, default=100)
    args = parser.parse_args()
    plan = yaml.safe_load(args.rows.read_text())
    sites, pool = sites_and_pool(args.data)
    results: dict[str, dict] = {}
    for name, change in plan["rows"].items():
        folder = args.output / re.sub(r"\W+", "-", name)
        folder.mkdir(parents=True, exist_ok=True)
        done = folder / "result.json"
        if not done.is_file():
            keys = plan["base"] | change
            try:
                figures = measure(keys, sites, pool, folder, args.steps, args.labels)
            except subprocess.CalledProcessError as error:
                sys.exit(f"ablation: {name}: {error}")
            done.write_text(json.dumps({"keys": keys, **figures}, indent=1))
        if not results:
            none = args.output / "untrained"
            file = none / "result.json"
            if not file.is_file():
                none.mkdir(exist_ok=True)
                figures = probes(folder / "pretrain", sites, none, args.labels, "--untrained")
                file.write_text(json.dumps({"pretraining": {}, **figures}, indent=1))
            results["none, random weights"] = json.loads(file.read_text())
        results[name] = json.loads(done.read_text())
        print(table(results), flush=True)
    write(args.output, table(results), f"{args.steps} steps, {args.labels} labels per site.", results)


if __name__ == "__main__":
    main()
