"""Weights of several methods by evolution: a probe of evolved and of equal weights, and of each method alone.

    python benchmarks/evolution.py --data IMAGES --output runs/evolution --methods simclr rotation jigsaw \
        --steps 300 --seeds 3 encoder=resnet9 height=32 width=32

IMAGES have classes as labels; a k-NN probe of the frozen features measures every run on the rows of split test, or on
those of other labelled images (--probe), beside a randomly initialised encoder. Sequences with sound are made by
moving_digits.py:

    python benchmarks/evolution.py --data DATA/clips --probe DATA/frames --output runs/modalities --seeds 3 \
        --methods order_verification gray_distillation flow_distillation sound_distillation --clusters 10 \
        encoder=resnet9 height=24 width=24

key=value words are keys of every training. Finished parts are kept: the same command continues. Writes table.md and
results.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from commands import keep_settings, seqclr, write


def evolved(args: argparse.Namespace, together: str) -> Path:
    """The configuration with the weights that evolution finds, with seed 0."""
    folder = args.output / "evolve"
    words = ["--method", together, "--data", args.data, "--output", folder, "--seed", 0, "--steps", args.short]
    words += ["--generations", args.generations, "--population", args.population]
    words += [f"criterion_clusters={args.clusters}", *args.keys]
    if not (folder / "weights.yaml").is_file():
        seqclr("evolve", *words, *(["--resume"] if (folder / "config.yaml").is_file() else []))
    return folder / "weights.yaml"


def accuracy(args: argparse.Namespace, arm: str, seed: int, *method: object) -> float:
    """The probe's accuracy on a run with these words, which name its method."""
    folder, file = args.output / f"{arm}_{seed}", args.output / f"{arm}_{seed}.json"
    if not file.is_file():
        words = ["--data", args.data, "--output", folder, "--seed", seed, "--steps", args.steps, *args.keys]
        seqclr("pretrain", *method, *words, *(["--resume"] if (folder / "config.yaml").is_file() else []))
        probe(args, folder, file)
    return json.loads(file.read_text())["accuracy"]


def probe(args: argparse.Namespace, run: Path, file: Path, *flags: str) -> None:
    data = args.probe or args.data
    seqclr("probe", "--model", run, "--kind", "knn", "--data", data, "--k", 20, "--json", file, *flags)


def accuracy_of_random_weights(args: argparse.Namespace, seed: int) -> float:
    """The probe's accuracy on the encoder of the run with equal weights before its training."""
    file = args.output / f"new_{seed}.json"
    if not file.is_file():
        probe(args, args.output / f"equal_{seed}", file, "--untrained", "--seed", str(seed))
    return json.loads(file.read_text())["accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=["simclr", "rotation", "jigsaw"])
    parser.add_argument("--steps", type=int, default=300, help="of a run")
    parser.add_argument("--short", type=int, default=60, help="steps of a candidate")
    parser.add_argument("--generations", type=int, default=4)
    parser.add_argument("--population", type=int, default=6)
    parser.add_argument("--clusters", type=int, default=50, help="clusters of the criterion")
    parser.add_argument("--probe", type=Path, help="labelled images; by default the data")
    parser.add_argument("--seeds", type=int, default=1, help="number of runs with each of the weights")
    parser.add_argument("keys", nargs="*", metavar="key=value")
    args = parser.parse_intermixed_args()
    keep_settings(
        args.output, {name: str(value) for name, value in vars(args).items() if name not in ("output", "seeds")}
    )
    together, arms = "+".join(args.methods), {}
    config = evolved(args, together)
    for seed in range(args.seeds):
        words = {"evolved": ["--config", config], "equal": ["--method", together]}
        words |= {method: ["--method", method] for method in args.methods}
        for arm, method in words.items():
            arms.setdefault(arm, []).append(accuracy(args, arm, seed, *method))
        arms.setdefault("random weights", []).append(accuracy_of_random_weights(args, seed))
    rows = [
        f"| {arm} | {statistics.mean(found):.3f} | {' '.join(f'{x:.3f}' for x in found)} |"
        for arm, found in arms.items()
    ]
    table = "\n".join(["| weights | accuracy, mean | of each seed |", "|---|---|---|", *rows])
    write(args.output, table, f"k-NN probe, {args.steps} steps.", arms)
    print(table)


if __name__ == "__main__":
    main()
