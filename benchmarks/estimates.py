"""The estimate of accuracy without labels: how close it is on real sites, and the constants that it is computed with.

    python benchmarks/new_sites.py --data DATA --output runs/new_sites --arms adapted
    python benchmarks/estimates.py --data DATA --runs runs/new_sites

Takes the adapted readers of benchmarks/new_sites.py and evaluates them on the train rows, whose labels they did not see
(but for the few that a run was given). The offset of `seqclr.recognition.estimates` is the median difference of
the log-odds of exact match and mean confidence. The table compares the exact match of each run with its estimate by the
offset of the other sites.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from commands import circumstances, seqclr

CLOSE = 0.05


def logit(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0.01, 0.995)
    return np.log(share / (1 - share))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True, help="output of benchmarks/new_sites.py")
    args = parser.parse_args()
    folders = sorted(file.parent for file in args.runs.glob("adapted_*/*/result.json"))
    if not folders:
        sys.exit(f"{args.runs} holds no adapted_*/*/result.json: run benchmarks/new_sites.py first")
    for folder in folders:
        if not (folder / "train_rows.json").is_file():
            seqclr("evaluate", "--model", folder / "run", "--data", args.data / folder.name, "--split", "train",
                   "--json", folder / "train_rows.json")  # fmt: skip
    adapted = [json.loads((folder / "train.json").read_text()) for folder in folders]
    confidence = np.array([row["mean_confidence"] for row in adapted])
    exact = np.array([json.loads((folder / "train_rows.json").read_text())["exact_match"] for folder in folders])
    sites = np.array([folder.name for folder in folders])
    differences = logit(exact) - logit(confidence)
    offsets = np.array([np.median(differences[sites != site]) for site in sites])
    estimates = 1 / (1 + np.exp(-logit(confidence) - offsets))
    print("| site | run | exact match | mean confidence | estimate |", "|---" * 5 + "|", sep="\n")
    for folder, *row in zip(folders, exact, confidence, estimates):
        print(f"| {folder.name} | {folder.parent.name} | {' | '.join(f'{value:.3f}' for value in row)} |")
    distances = abs(estimates - exact)
    print(f"within {CLOSE}: {sum(distances <= CLOSE)} of {len(folders)}, mean distance {distances.mean():.3f}")
    print(f"offset of all: {np.median(differences):.2f}", circumstances(), sep="\n")


if __name__ == "__main__":
    main()
