"""Label efficiency: arms with few labels per site, over several random draws of the labels.

    pip install ".[bench]"
    python benchmarks/label_efficiency.py --data DATA --output runs/label_efficiency

DATA holds a folder per site: `cap_*` with `labels.csv` (file,text,split), and `unl_*` without labels. An arm is a file
of benchmarks/label_efficiency/:

    pretrain: {...}          keys of pretraining on all of DATA without test splits; none: from scratch
    encoder_of: ARM          the pretrained encoder of another arm instead
    finetune: {...}          keys of fine-tuning; a list of values is tuned, see below
    time_of: ARM             as many steps as take the time of the other arm, including its pretraining
    self_training: true      the pool is used again, as unlabelled images (finetune --unlabelled)

Each arm pretrains once and fine-tunes one recognizer for all sites per budget and seed. A key with a list of values is
tuned by the validation accuracy of the first seed at the budget --tune-at; the table shows it for each value. Finished
parts are kept: the same command continues. Writes table.md, results.json and accuracy.png.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import yaml
from commands import circumstances, seqclr, sites_and_pool
from matplotlib.figure import Figure

ARMS = Path(__file__).with_suffix("")
METRICS = {"edit_distance_accuracy": "edit-distance accuracy", "exact_match": "exact match"}


class Benchmark:
    """sites: folders with labels; pool: what is pretrained on. tune_at: the budget at which keys are tuned."""

    def __init__(self, sites: list[Path], pool: list[Path], output: Path, arms: dict[str, dict], tune_at: int):
        self.sites, self.pool = sites, pool
        self.output, self.arms, self.tune_at = output, arms, tune_at

    def labelled(self, labels: int, seed: int) -> list[object]:
        """The arguments that give fine-tuning a budget of labels."""
        return ["--data", *self.sites, "--split", "train", "--labels", labels]

    def pretrained(self, arm: str) -> dict | None:
        """The arm's pretraining run, trained if it is not done, and its seconds; None for an arm from scratch."""
        arm = self.arms[arm].get("encoder_of", arm)
        if "pretrain" not in self.arms[arm]:
            return None
        folder = self.output / arm / "pretrain"
        seconds = self.train("pretrain", folder, "--data", *self.pool, *words(self.arms[arm]["pretrain"]))
        return {"run": str(folder), "seconds": seconds}

    def train(self, verb: str, folder: Path, *arguments: object) -> float:
        """Trains or resumes; returns the seconds of all attempts together."""
        clock = folder.with_name(f"{folder.name}.seconds")
        done = json.loads(clock.read_text()) if clock.is_file() else {"seconds": 0.0, "done": False}
        if not done["done"]:
            start = time.perf_counter()
            resume = ["--resume"] if (folder / "config.yaml").is_file() else []
            try:
                seqclr(verb, *arguments, "--output", folder, *resume)
                if last_step(folder) < yaml.safe_load((folder / "config.yaml").read_text())["steps"]:
                    raise KeyboardInterrupt  # stopped by a signal, and saved
                done["done"] = True
            finally:
                done["seconds"] += time.perf_counter() - start
                folder.parent.mkdir(parents=True, exist_ok=True)
                clock.write_text(json.dumps(done))
        return done["seconds"]

    def tuned(self, arm: str) -> dict:
        """The arm's fine-tuning keys, with tuned values."""
        keys = self.arms[arm].get("finetune", {})
        grid = {name: values for name, values in keys.items() if isinstance(values, list)}
        if not grid:
            return keys
        file = self.output / arm / "tuned.json"
        if not file.is_file():
            rows = []
            for values in itertools.product(*grid.values()):
                chosen = dict(zip(grid, values))
                name = "-".join(f"{key}={value}" for key, value in chosen.items())
                folder = self.output / arm / "tuning" / name
                self.finetune(arm, folder, self.tune_at, 0, keys | chosen)
                rows.append({**chosen, "validation": best_validation(folder), "run": str(folder)})
            file.write_text(json.dumps(rows, indent=1))
            if "time_of" not in self.arms[arm]:  # its cells have more steps than the tuning runs
                self.keep(best_of(rows)["run"], arm)
        best = best_of(tried(self.output, arm))
        return keys | {name: best[name] for name in grid}

    def keep(self, run: str, arm: str) -> None:
        """Uses the best tuning run as the cell of the first seed."""
        cell = self.folder(arm, self.tune_at, 0)
        cell.parent.mkdir(parents=True, exist_ok=True)
        for name in ("", ".seconds"):
            os.rename(f"{run}{name}", f"{cell}{name}")

    def finetune(self, arm: str, folder: Path, labels: int, seed: int, keys: dict) -> float:
        encoder = self.pretrained(arm)
        more = ["--pretrained", encoder["run"]] if encoder else []
        more += ["--unlabelled", *self.pool] if self.arms[arm].get("self_training") else []
        return self.train("finetune", folder, *self.labelled(labels, seed), "--seed", seed, *more, *words(keys))

    def folder(self, arm: str, labels: int, seed: int) -> Path:
        return self.output / arm / f"labels-{labels}" / f"seed-{seed}"

    def cell(self, arm: str, labels: int, seed: int) -> dict:
        """Accuracy of an arm with `labels` labels per site, over all sites and per site."""
        folder = self.folder(arm, labels, seed)
        file = folder.with_suffix(".json")
        if file.is_file():
            return json.loads(file.read_text())
        keys = self.tuned(arm)
        other = self.arms[arm].get("time_of")
        if other:
            keys = keys | {"steps": self.steps_in_the_time_of(other, arm, keys)}
        seconds = self.finetune(arm, folder, labels, seed, keys)
        scores = folder.with_name(f"{folder.name}.scores")
        seqclr("evaluate", "--model", folder, "--data", *self.sites, "--split", "test", "--json", scores)
        figures = json.loads(scores.read_text())
        encoder = self.pretrained(arm)
        result = {
            **{name: figures[name] for name in METRICS},
            "sites": {site: {name: row[name] for name in METRICS} for site, row in figures["sources"].items()},
            "keys": keys,
            "seconds": seconds,
            "pretraining_seconds": encoder["seconds"] if encoder else 0.0,
        }
        file.write_text(json.dumps(result, indent=1))
        scores.unlink()
        return result

    def steps_in_the_time_of(self, other: str, arm: str, keys: dict) -> int:
        """The steps of an arm from scratch that take the time of another arm's pretraining and fine-tuning."""
        taken = self.cell(other, self.tune_at, 0)
        rate = self.tuned(other)["steps"] / taken["seconds"]
        return round((taken["seconds"] + taken["pretraining_seconds"]) * rate)


def tried(output: Path, arm: str) -> list[dict]:
    """The tuning runs of an arm, with the values of the tuned keys and the `validation` accuracy; or none."""
    file = output / arm / "tuned.json"
    return json.loads(file.read_text()) if file.is_file() else []


def best_of(rows: list[dict]) -> dict:
    return max(rows, key=lambda row: row["validation"])


def words(keys: dict) -> list[str]:
    return [f"{name}={value}" for name, value in keys.items()]


def metrics(folder: Path) -> list[dict[str, str]]:
    file = folder / "metrics.csv"
    return list(csv.DictReader(file.read_text().splitlines())) if file.is_file() else []


def best_validation(folder: Path) -> float:
    return max(float(row["val_edit_distance_accuracy"]) for row in metrics(folder))


def last_step(folder: Path) -> int:
    return max((int(row["step"]) for row in metrics(folder)), default=0)


def summary(cells: dict[tuple[str, int], list[dict]], metric: str, unit: str) -> str:
    """Markdown: a row per arm, a column per budget, mean and standard deviation over the seeds."""
    arms, budgets = (list(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    lines = [f"| {METRICS[metric]}, {unit} | " + " | ".join(map(str, budgets)) + " |"]
    lines.append("|" + "---|" * (len(budgets) + 1))
    for arm in arms:
        row = []
        for budget in budgets:
            values = [cell[metric] for cell in cells.get((arm, budget), [])]
            spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
            row.append(f"{statistics.mean(values):.4f}{spread} ({len(values)})" if values else "")
        lines.append(f"| {arm} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def errors(cells: dict[tuple[str, int], list[dict]], baseline: str) -> str:
    """Markdown: each arm's error relative to the baseline's, over the seeds that both have."""
    arms, budgets = (list(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    error = lambda rows: 1 - statistics.mean(row["edit_distance_accuracy"] for row in rows)  # noqa: E731
    lines = [f"| error relative to {baseline} | " + " | ".join(map(str, budgets)) + " |"]
    lines.append("|" + "---|" * (len(budgets) + 1))
    for arm in arms:
        pairs = [(cells.get((arm, budget)), cells.get((baseline, budget))) for budget in budgets]
        row = [f"{error(own) / error(base[: len(own)]):.2f}" if own and base else "" for own, base in pairs]
        lines.append(f"| {arm} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def tunings(output: Path, arms: list[str]) -> list[str]:
    """Markdown, if anything was tuned: for each arm all values of its tuned keys, the chosen one in bold."""
    lines = ["| arm | validation accuracy |", "|---|---|"]
    for arm in arms:
        rows, cells = tried(output, arm), []
        for row in rows:
            values = ", ".join(f"{name}={value}" for name, value in row.items() if name not in ("validation", "run"))
            mark = "**" if row is best_of(rows) else ""
            cells.append(f"{mark}{values}: {row['validation']:.4f}{mark}")
        lines += [f"| {arm} | {', '.join(cells)} |"] if rows else []
    return ["\n".join(lines)] if len(lines) > 2 else []


def draw(cells: dict[tuple[str, int], list[dict]], file: Path, unit: str) -> None:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for arm in dict.fromkeys(arm for arm, _ in cells):
        points = [(budget, rows) for (name, budget), rows in cells.items() if name == arm]
        values = [[row["edit_distance_accuracy"] for row in rows] for _, rows in points]
        spread = [statistics.stdev(v) if len(v) > 1 else 0.0 for v in values]
        axes.errorbar([budget for budget, _ in points], list(map(statistics.mean, values)), spread, label=arm,
                      marker="o", capsize=3)  # fmt: skip
    axes.set(xscale="log", xlabel=unit, ylabel="edit-distance accuracy, all sites")
    budgets = sorted({budget for _, budget in cells})
    axes.set_xticks(budgets, map(str, budgets))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    known = sorted(path.stem for path in ARMS.glob("*.yaml"))
    parser.add_argument("--arms", nargs="+", default=known, metavar="ARM", help=f"any of {', '.join(known)}")
    parser.add_argument("--labels", nargs="+", type=int, default=[20, 50, 100, 500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--tune-at", type=int, default=100, help="labels per site at which keys are tuned")
    args = parser.parse_args()
    unknown = [arm for arm in args.arms if arm not in known]
    if unknown:
        parser.error(f"there is no arm '{unknown[0]}': {', '.join(known)}")
    arms = {name: yaml.safe_load((ARMS / f"{name}.yaml").read_text()) for name in known}
    args.output.mkdir(parents=True, exist_ok=True)
    run(Benchmark(*sites_and_pool(args.data), args.output, arms, args.tune_at), args.arms, args.labels, args.seeds)


def run(
    benchmark: Benchmark, arms: list[str], budgets: list[int], seeds: list[int], unit: str = "labels per site"
) -> None:
    """Fills all cells and prints the tables; unit: of the budgets. Exits where a command fails or is interrupted."""
    cells: dict[tuple[str, int], list[dict]] = {}
    for seed, labels, arm in itertools.product(seeds, budgets, arms):
        try:
            cells.setdefault((arm, labels), []).append(benchmark.cell(arm, labels, seed))
        except subprocess.CalledProcessError as error:
            sys.exit(f"{arm}, {labels} {unit}, seed {seed}: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted; the same command continues")
        report(cells, benchmark.output, unit)
    print((benchmark.output / "table.md").read_text())


def report(cells: dict[tuple[str, int], list[dict]], output: Path, unit: str) -> None:
    tables = [summary(cells, metric, unit) for metric in METRICS]
    arms = list(dict.fromkeys(arm for arm, _ in cells))
    tables.append(errors(cells, "scratch" if "scratch" in arms else arms[0]))
    tables += tunings(output, arms)
    foot = f"In brackets: number of seeds. {circumstances()}"
    (output / "table.md").write_text("\n\n".join([*tables, foot]) + "\n")
    rows = [{"arm": arm, "labels": labels, "cells": rows} for (arm, labels), rows in cells.items()]
    (output / "results.json").write_text(json.dumps(rows, indent=1))
    draw(cells, output / "accuracy.png", unit)


if __name__ == "__main__":
    main()
