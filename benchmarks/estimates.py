"""The estimate of accuracy without labels: how close it is on real sites, and the constants that it is computed with.

    python benchmarks/new_sites.py --data DATA --output runs/new_sites --arms adapted
    python benchmarks/estimates.py --data DATA --runs runs/new_sites

Takes the adapted readers of benchmarks/new_sites.py, evaluates them on the train rows, whose labels they did not see
(but for the few that a run was given), and computes the constants of `seqclr.recognition.estimates`, of runs without
labels and of those with some: the difference of the log-odds of exact match and mean confidence is explained, by least
squares, by a constant, and by the log-odds of the mean confidence of the reader before. The table compares the exact
match of each run with its estimates by the other sites' constants.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from commands import circumstances, seqclr

CLOSE = 0.05
ESTIMATES = {"confidence": 1, "confidence and that before": 2}  # columns of the regression


def logit(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0.01, 0.995)
    return np.log(share / (1 - share))


def fit(columns: np.ndarray, differences: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(columns, differences, rcond=None)[0]


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
    before = np.array([row["mean_confidence_before"] for row in adapted])
    exact = np.array([json.loads((folder / "train_rows.json").read_text())["exact_match"] for folder in folders])
    sites = np.array([folder.name for folder in folders])
    without = np.array([folder.parent.name.split("_")[1] == "0" for folder in folders])
    columns = np.stack([np.ones(len(folders)), logit(before)], axis=1)
    estimates = {}
    for name, count in ESTIMATES.items():
        fitted = [
            fit(columns[others, :count], (logit(exact) - logit(confidence))[others])
            for others in ((sites != site) & (without == group) for site, group in zip(sites, without))
        ]
        odds = logit(confidence) + (columns[:, :count] * fitted).sum(1)
        estimates[name] = 1 / (1 + np.exp(-odds))
    print(
        f"| site | run | exact match | mean confidence | before | {' | '.join(estimates)} |",
        "|---" * 7 + "|",
        sep="\n",
    )
    for folder, *row in zip(folders, exact, confidence, before, *estimates.values()):
        print(f"| {folder.name} | {folder.parent.name} | {' | '.join(f'{value:.3f}' for value in row)} |")
    for name, values in estimates.items():
        for label, group in (("without labels", without), ("with labels", ~without)):
            distances = abs(values - exact)[group]
            if group.any():
                constants = fit(columns[group, : ESTIMATES[name]], (logit(exact) - logit(confidence))[group])
                print(
                    f"{name}, {label}: within {CLOSE} {sum(distances <= CLOSE)} of {group.sum()}, "
                    f"mean distance {distances.mean():.3f}, constants {np.round(constants, 2)}"
                )
    print(circumstances())


if __name__ == "__main__":
    main()
