"""Ablation of the recommended settings: short pretrainings that differ in one key, evaluated by a frozen probe.

    pip install ".[bench]"
    python benchmarks/ablation.py --data DATA --output runs/ablation
    python benchmarks/ablation.py --data DATA --output runs/images --rows benchmarks/ablation_images.yaml

DATA holds a folder per site: `cap_*` with `labels.csv` (file,text,split), and `unl_*` without labels. The rows are
those of benchmarks/ablation.yaml. Each pretrains on the train splits of all of DATA for --steps. Then a linear CTC head
is trained on the frozen features of the CNN and of the Transformer, with --labels labels per site, and evaluated on the
test splits. A file of rows may name the folders in DATA as `data`, the `layers`, and `views` as a list of steps; on
images the probe is k-NN. Finished parts are kept: the same command continues. Writes table.md and results.json.
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
from commands import seqclr, sites_and_pool, sites_of, write

LAYERS = ("cnn", "transformer")


def measure(row: dict, pool: list[Path], folder: Path, steps: int) -> dict:
    """The last metrics of the pretraining of one row."""
    run = folder / "pretrain"
    if isinstance(row.get("views"), list):
        steps_file = folder / "views.yaml"
        steps_file.write_text(yaml.safe_dump(row["views"]))
        row = row | {"views": steps_file}
    words = [f"{key}={value}" for key, value in {**row, "steps": steps}.items() if value is not None]
    resume = ["--resume"] if (run / "config.yaml").is_file() else []
    seqclr("pretrain", "--data", *pool, "--output", run, *resume, *words)
    with open(run / "metrics.csv", newline="") as stream:
        return list(csv.DictReader(stream))[-1]


def probes(run: Path, sites: list[Path], layers: list[str], folder: Path, labels: int, *flags: str) -> dict:
    """Edit-distance accuracy of a linear head on the features of each layer, or accuracy of k-NN on images."""
    result = {}
    for layer in layers:
        file = folder / f"{layer}.json"
        seqclr("probe", "--model", run, "--data", *sites, "--labels", labels, "--layer", layer, "--json", file, *flags)
        figures = json.loads(file.read_text())
        result[layer] = figures.get("edit_distance_accuracy", figures.get("accuracy"))
    return result


def table(results: dict[str, dict], layers: list[str]) -> str:
    figures = ("loss", "monitor/position_share", "monitor/image_share", "monitor/rank")
    head = [
        "pretraining",
        *(f"probe, {layer}" for layer in layers),
        "loss",
        "position share",
        "image share",
        "rank",
        "warnings",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in results.items():
        values = [row["pretraining"].get(figure) for figure in figures]
        cells = [name, *(f"{row[layer]:.3f}" for layer in layers), *(f"{float(v):.3g}" if v else "" for v in values)]
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
    layers = plan.get("layers", LAYERS)
    sites, pool = sites_and_pool(args.data) if "data" not in plan else 2 * (sites_of(args.data, plan["data"]),)
    results: dict[str, dict] = {}
    for name, change in plan["rows"].items():
        folder = args.output / re.sub(r"\W+", "-", name)
        folder.mkdir(parents=True, exist_ok=True)
        done = folder / "result.json"
        if not done.is_file():
            keys = plan["base"] | change
            try:
                figures = {"pretraining": measure(keys, pool, folder, args.steps)}
                figures |= probes(folder / "pretrain", sites, layers, folder, args.labels)
            except subprocess.CalledProcessError as error:
                sys.exit(f"ablation: {name}: {error}")
            done.write_text(json.dumps({"keys": keys, **figures}, indent=1))
        if not results:
            none = args.output / "untrained"
            file = none / "result.json"
            if not file.is_file():
                none.mkdir(exist_ok=True)
                figures = probes(folder / "pretrain", sites, layers, none, args.labels, "--untrained")
                file.write_text(json.dumps({"pretraining": {}, **figures}, indent=1))
            results["none, random weights"] = json.loads(file.read_text())
        results[name] = json.loads(done.read_text())
        print(table(results, layers), flush=True)
    write(args.output, table(results, layers), f"{args.steps} steps, {args.labels} labels per site.", results)


if __name__ == "__main__":
    main()
