"""The estimate of accuracy without labels: how close it is on real sites, and the constants that it is computed with.

    python benchmarks/new_sites.py --data DATA --output runs/new_sites --arms adapted
    python benchmarks/estimates.py --data DATA --runs runs/new_sites

Takes the adapted readers of benchmarks/new_sites.py, evaluates them on the train rows, whose labels they did not see
(but for the few that a run was given), and computes `seqclr.recognition.estimates.OFFSETS`: the mean differences of the
log-odds of exact match and mean confidence, of runs without labels and of those with some. The table compares the exact
match of each run with its estimate by the other sites' offsets.
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
    groups = [folder.parent.name.split("_")[1] == "0" for folder in folders]
    offsets, estimates = logit(exact) - logit(confidence), []
    print("| site | run | exact match | mean confidence | estimate |", "|---|---|---|---|---|", sep="\n")
    for i, folder in enumerate(folders):
        others = [k for k, other in enumerate(folders) if other.name != folder.name and groups[k] == groups[i]]
        offset = offsets[others].mean() if others else np.nan
        estimates.append(1 / (1 + np.exp(-logit(confidence[i]) - offset)))
        cells = (f"{value:.3f}" for value in (exact[i], confidence[i], estimates[i]))
        print(f"| {folder.name} | {folder.parent.name} | {' | '.join(cells)} |")
    for name, values in (("estimate", np.array(estimates)), ("mean confidence", confidence)):
        distances = abs(values - exact)
        print(f"{name}: within {CLOSE} {sum(distances <= CLOSE)} of {len(exact)}, mean distance {distances.mean():.3f}")
    for name, group in (("without labels", True), ("with labels", False)):
        of_group = offsets[[k for k in range(len(folders)) if groups[k] == group]]
        if len(of_group):
            print(f"offset {name}: {of_group.mean():.2f}")
    print(circumstances())


if __name__ == "__main__":
    main()
