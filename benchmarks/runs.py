"""Shared by the benchmarks of methods: pretraining runs, and probes of them."""

import csv
import dataclasses
import json
import sys
from pathlib import Path

from commands import measured, seqclr

from seqclr.config import PretrainConfig, load_yaml
from seqclr.methods import find_method
from seqclr.nn.blocks import LAB


def keys_of(method: str, keys: dict) -> dict:
    """Those of the keys that a method has, and does not set itself, except `method` and `steps`."""
    cls = find_method(method)
    known = {field.name for base in (PretrainConfig, cls) for field in dataclasses.fields(base)}
    known -= {"method", "steps", *cls.defaults}
    if cls.facts.needs_halves:
        keys = {**keys, "encoder": f"{keys.get('encoder', PretrainConfig.encoder)}{LAB}"}
    return {name: value for name, value in keys.items() if name in known}


def pretrained(method: str, folder: Path, data: list[Path], steps: int, keys: dict) -> dict | None:
    """Trains or resumes; returns speed, memory and last metrics, or None where the method does not support the data.

    keys: as of `keys_of`.
    """
    words = [f"{name}={value}" for name, value in keys_of(method, keys).items()]
    resume = ["--resume"] if (folder / "config.yaml").is_file() else []
    result = measured("pretrain", "--method", method, "--data", *data, "--output", folder, "--steps", steps, *words,
                    *resume)  # fmt: skip
    if result.code == 2:  # the command printed the reason
        return None
    if result.code:
        sys.exit(f"{method} ended with {result.code}")
    with open(folder / "metrics.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {
        "seconds": result.seconds,
        "images_per_second": steps * load_yaml(folder / "config.yaml")["batch_size"] / result.seconds,
        "memory_mib": result.mib,
        "warnings": sorted({name for row in rows for name in row["warning"].split()}),
        "last": rows[-1],
    }


def probe(run: Path, kind: str, data: list[Path], file: Path, *flags: str) -> float:
    """Accuracy of a probe of a run, for ctc edit-distance accuracy. `file` caches its metrics."""
    if not file.is_file():
        seqclr("probe", "--model", run, "--kind", kind, "--data", *data, "--json", file, *flags)
    figures = json.loads(file.read_text())
    return figures["edit_distance_accuracy" if kind == "ctc" else "accuracy"]
