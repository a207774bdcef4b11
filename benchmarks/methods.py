"""All methods side by side: probes of frozen encoders after the same number of steps.

    python benchmarks/methods.py --data DATA --output runs/methods

DATA holds `img_cifar10` and `img_mnist`, images with a class as `text`, and captcha sites `cap_lzu` and `cap_zf_old`,
each with `labels.csv` (file,text,split). Every method is pretrained on each part that suits it, for --steps batches of
64, or of its own size (128 for w_mse, 16 for translations): a small ResNet on the images; the `tiny` text encoder on
the two sites together, with correspondence by index; and, for methods with correspondence by geometry, the same with
the recommended settings of docs/how/contrast.md. Then k-NN, linear and CTC probes are evaluated on the test splits. The
first row is of random weights. Images per second are those of the complete command, memory is that of its largest
process. A cell says why a method is not measured there; a collapsed method has the warnings of the monitors. Methods
marked with * are trained with the labels of the train rows.

Methods of sequences are pretrained on moving digits with sound, made from MNIST (moving_digits.py), and pretext tasks
as pretext.py does; both have tables of their own. The weights of several methods are the subject of evolution.py.

With --seeds 3, whatever took less than an hour is done with two more seeds, and cells are means, with the standard
deviation behind them; pretext tasks have one seed.

Finished parts are kept: the same command continues, and after each it prints how long the others will take. --estimate
takes a few steps of every part instead, which are timed, and prints how long the pretraining of all parts takes. Writes
table.md and results.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import moving_digits
import pretext
from commands import keep_settings, write
from runs import keys_of, pretrained, probe

from seqclr.config import load_config
from seqclr.methods import METHODS, find_method

IMAGES, DIGITS, SITES = "img_cifar10", "img_mnist", ("cap_lzu", "cap_zf_old")
CLIPS = 500
LINES = {"encoder": "tiny", "batch_size": 64}
BY_INDEX = {"correspondence": "index", "layer": "transformer", "frames": "frames:5"}
RECOMMENDED = load_config("lines")
TOGETHER = ("simclr+rotation", "simclr+masked")  # examples of several methods together
ALL = [name for name in (*METHODS, *TOGETHER) if name not in pretext.TASKS]
TIMED = 6  # steps that are timed for an estimate, after the first one


class Part(NamedTuple):
    """The data and keys of a pretraining, the data of its probes (None: the same), and the probes."""

    data: tuple[str, ...]
    keys: dict
    probes: tuple[str, ...]
    probed: tuple[str, ...] | None = None


PARTS = {
    "images": Part(
        (IMAGES,),
        {"encoder": "resnet9", "height": 32, "width": 32, "views": "images", "frames": "all", "batch_size": 64},
        ("knn", "linear"),
    ),
    "lines": Part(SITES, {**LINES, "views": "strong"}, ("ctc",)),
    "recommended lines": Part(SITES, {**RECOMMENDED, **LINES, "negatives": "images"}, ("ctc",)),
    "sequences": Part(
        ("moving/clips",),
        {"encoder": "resnet9", "height": moving_digits.SIDE, "width": moving_digits.SIDE, "batch_size": 64},
        ("knn", "linear"),
        ("moving/frames",),
    ),
}
COLUMNS = {"knn": "k-NN", "linear": "linear", "ctc": "CTC"}
OWN = {("simclr+rotation", "images"): {"simclr.views": "images", "rotation.views": "none"}}


def why_not(method: str, what: str) -> str | None:
    """Why a method is not measured on a part, for its cell in the table; None where it is measured."""
    cls = find_method(method)
    if (what == "sequences") != cls.animated:
        return "sequences" if cls.animated else "single images"
    if what in ("images", "sequences"):
        return "lines only" if cls.facts.needs_lines else None
    if cls.facts.needs_images:
        return "images only"
    if method == "classifier":
        return "texts are no classes"
    if what == "recommended lines" and not any(name.endswith("correspondence") for name in cls.line_defaults):
        return "no correspondence"
    return "see recommended" if what == "lines" and method in TOGETHER else None


def keys_on(method: str, what: str) -> dict:
    """The keys of a method's pretraining on a part."""
    cls, keys = find_method(method), PARTS[what].keys
    if what == "lines":  # correspondence by index, not the default, for methods that have both
        keys = {**keys, **{name: BY_INDEX[name] for name in cls.line_defaults.keys() & BY_INDEX.keys()}}
    if cls.uses_labels:  # the sites have images without labels too
        keys = {**keys, "split": "train"}
    if method in TOGETHER:  # each has views of its own
        keys = {name: value for name, value in keys.items() if name != "views"}
    return keys_of(method, {**keys, **OWN.get((method, what), {})})


class Benchmark:
    def __init__(self, data: Path, output: Path, methods: list[str], steps: int, seeds: int = 1):
        self.data, self.output, self.steps, self.seeds = data, output, steps, seeds
        suited = [(name, what) for name in methods for what in PARTS if why_not(name, what) is None]
        shown = [what for what in PARTS if any(part == what for _, part in suited)]
        self.parts = [*(("none", what) for what in shown), *suited]

    def paths(self, names: tuple[str, ...]) -> list[Path]:
        """The paths of data; moving digits are made where they are missing."""
        moving = self.output / "moving"
        if names[0].startswith("moving") and not moving.is_dir():
            beside = self.output / "moving.partial"
            shutil.rmtree(beside, ignore_errors=True)
            moving_digits.make(self.data / DIGITS, beside, CLIPS)
            beside.rename(moving)
        return [(self.output if name.startswith("moving") else self.data) / name for name in names]

    def measure(self, name: str, what: str, seed: int) -> dict:
        """The figures of a method on a part, or of random weights."""
        part = PARTS[what]
        file = self.output / name / f"{what.replace(' ', '_')}{f'_{seed}' if seed else ''}.json"
        if file.is_file():
            return json.loads(file.read_text())
        file.parent.mkdir(parents=True, exist_ok=True)
        start, run = time.perf_counter(), file.with_suffix("")
        method, steps, flags = ("simclr", 1, ["--untrained"]) if name == "none" else (name, self.steps, [])
        flags += ["--seed", str(seed)]
        result = pretrained(method, run, self.paths(part.data), steps, {**keys_on(method, what), "seed": seed})
        if result is None:
            sys.exit(f"methods: {name} refuses {what}")
        probed = self.paths(part.probed or part.data)
        try:
            figures = {kind: probe(run, kind, probed, run.with_suffix(f".{kind}.json"), *flags) for kind in part.probes}
        except subprocess.CalledProcessError as error:
            sys.exit(f"methods: {name}: {error}")
        result = {**result, **figures, "seconds": time.perf_counter() - start}
        file.write_text(json.dumps(result, indent=1))
        return result

    def rows(self) -> Iterator[dict[str, dict[str, list[dict]]]]:
        """The figures of all methods by part, a dictionary per seed, after each that was added."""
        rows: dict[str, dict[str, list[dict]]] = {}
        for seed in range(self.seeds):
            for count, (name, what) in enumerate(self.parts, 1):
                found = rows.setdefault(name, {}).setdefault(what, [])
                if not found or found[0]["seconds"] < 3600:
                    found.append(self.measure(name, what, seed))
                mean = statistics.mean(one["seconds"] for row in rows.values() for each in row.values() for one in each)
                left = ((self.seeds - seed) * len(self.parts) - count) * mean / 3600
                told = f"{name} on {what}, seed {seed}: {count} of {len(self.parts)} parts"
                print(f"{told}, about {left:.1f} h left for all seeds", flush=True)
                yield rows

    def estimate(self) -> float:
        """Prints the seconds of each part's start and of a step, and returns the hours of all pretrainings."""
        total = 0.0
        for name, what in self.parts:
            if name != "none":
                start, step = self.timed(name, what)
                total += start + self.steps * step
                print(f"{name} on {what}: start {start:.1f} s, a step {step:.3f} s", flush=True)
        return total / 3600

    def timed(self, name: str, what: str) -> tuple[float, float]:
        """The seconds to the end of the first step, and the median of those of the next ones."""
        from seqclr.pretraining.pretrain import configure, pretrain

        folder, clock = self.output / "estimate", Clock()
        shutil.rmtree(folder, ignore_errors=True)
        keys = {"method": name, "data": self.paths(PARTS[what].data), "steps": TIMED + 1, **keys_on(name, what)}
        begin = time.perf_counter()
        pretrain(configure([keys]), str(folder), watching=[clock])
        shutil.rmtree(folder)
        keras.backend.clear_session()
        steps = [later - earlier for earlier, later in zip(clock.ends, clock.ends[1:])]
        return clock.ends[0] - begin, statistics.median(steps)


class Clock(keras.callbacks.Callback):
    """The times at the ends of steps."""

    def __init__(self):
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())


def table(rows: dict[str, dict[str, list[dict]]], parts: list[str]) -> str:
    """The rows of the methods that are measured on any of some parts."""
    head = ["method"]
    for what in parts:
        head += [f"{what}: {COLUMNS[kind]}" for kind in PARTS[what].probes] + ["images/s", "MiB", "warnings"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in rows.items():
        if not row.keys() & set(parts):
            continue
        cells = ["random weights" if name == "none" else f"`{name}`{' *' if find_method(name).uses_labels else ''}"]
        for what in parts:
            cells += cells_of(name, what, row.get(what, []))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cells_of(name: str, what: str, results: list[dict]) -> list[str]:
    """The cells of a method and a part, from the results of all seeds."""
    kinds = PARTS[what].probes
    if not results:
        reason = None if name == "none" else why_not(name, what)
        return [reason or "not yet", *["-"] * (len(kinds) + 2)]
    cells = []
    for kind in kinds:
        figures = [result[kind] for result in results]
        spread = f" ± {statistics.stdev(figures):.3f}" if len(figures) > 1 else ""
        cells.append(f"{statistics.mean(figures):.3f}{spread}")
    if name == "none":
        return [*cells, *["-"] * 3]
    speed = statistics.mean(result["images_per_second"] for result in results)
    warnings = sorted({warning for result in results for warning in result["warnings"]})
    return [*cells, f"{speed:.0f}", str(max(result["memory_mib"] for result in results)), " ".join(warnings) or "-"]


def tables(rows: dict[str, dict[str, list[dict]]], tasks: dict[str, dict]) -> str:
    """The tables of single images and lines, of sequences, and of pretext tasks; those that have rows."""
    single = [what for what in PARTS if what != "sequences" and any(what in row for row in rows.values())]
    found = [table(rows, single)] if single else []
    found += [table(rows, ["sequences"])] if any("sequences" in row for row in rows.values()) else []
    return "\n\n".join([*found, *([pretext.table(tasks)] if tasks else [])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=[*ALL, *pretext.TASKS], choices=[*ALL, *pretext.TASKS],
                        metavar="METHOD")  # fmt: skip
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--estimate", action="store_true", help="only print how long the pretrainings take")
    args = parser.parse_args()
    missing = [name for name in (IMAGES, DIGITS, *SITES) if not (args.data / name).is_dir()]
    if missing:
        parser.error(f"{args.data} holds no folder {missing[0]}")
    keep_settings(args.output, {"steps": args.steps})
    methods = [name for name in args.methods if name in ALL]
    benchmark = Benchmark(args.data, args.output, methods, args.steps, args.seeds)
    if args.estimate:
        print(f"{len(benchmark.parts)} parts, {benchmark.estimate():.1f} h without probes and pretext tasks, one seed")
        return
    foot = f"{args.steps} steps, images {IMAGES}, lines {' and '.join(SITES)}."
    rows: dict[str, dict[str, list[dict]]] = {}
    tasks: dict[str, dict] = {}
    for rows in benchmark.rows():
        write(args.output, tables(rows, tasks), foot, rows)
    for what in ("images", "lines"):
        for name in (name for name in args.methods if name in pretext.TASKS):
            row = pretext.finished(name, what, args.data, args.output / "pretext", args.steps, 32)
            if row is not None:
                tasks[f"{name} on {what}"] = row
                write(args.output, tables(rows, tasks), foot, {**rows, "pretext": tasks})
    print(tables(rows, tasks))


if __name__ == "__main__":
    main()
