"""When to ask for another image: rules for the threshold of confidence, compared on real sites.

    python benchmarks/refusals.py --data DATA --output runs/refusals steps=600

DATA holds a folder per site with `labels.csv` (file,text,split). For each site the released reader is adapted without
labels and with 20, and fine-tuned with 100 (`--readers VERB_LABELS`). The other train rows are the validation rows that
a rule chooses the threshold on: many random draws of a few of them. The test rows are only measured: accuracy with one
retry, and the share refused. Rules:

    none         accept all
    fixed        0.8
    precision    the least threshold at which 98 % of the accepted are right
    empirical    the highest accuracy with one retry - COST * refused
    confident    `seqclr.decision.choose_threshold`, without labels, on all validation rows: accuracy is mean confidence
    unlabelled   the same, with the accuracy that `adapt` estimates
    chosen       the same, with labels
    bound        as empirical, but of the test rows themselves: no rule can be better

Finished readers are kept: the same command continues. Further `key=value` words go to `adapt` and `finetune`. Writes
table.md and results.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from pathlib import Path

import numpy as np
from commands import circumstances, seqclr, write
from new_sites import known

from seqclr.data.discovery import exclude, find
from seqclr.decision import COST, choose_threshold, one_retry
from seqclr.engine.run import Run
from seqclr.recognition.recognizer import Recognizer
from seqclr.recognition.splits import split_off_labelled, split_off_validation

SITES = ["cap_lzu", "cap_simple_v2", "cap_thsr", "cap_zf_old"]
READERS = ["adapt_0", "adapt_20", "finetune_100"]
MOST = 900  # validation rows that are predicted
PRECISION = 0.98
Rows = tuple[np.ndarray, np.ndarray]  # whether each prediction is right, and its confidence


def predictions(name: str, site: Path, folder: Path, keys: list[str]) -> tuple[dict[str, Rows], float | None]:
    """Trains a reader, and predicts validation and test rows, which predictions.csv keeps; with the exact match that
    `adapt` estimates."""
    run, file, (verb, labels) = folder / "run", folder / "predictions.csv", name.split("_")
    if not file.is_file():
        resume = ["--resume"] if (run / "config.yaml").is_file() else []
        own = known(site) if verb == "adapt" else ["--pretrained=captcha", "--split=train", "case=lower"]
        words = ["--data", site, "--output", run, "--json", folder / "train.json", "--labels", labels, "views=strong"]
        seqclr(verb, *words, *own, *keys, *resume)
        reader, config, samples = Recognizer.load(run), Run.open(run).config(), find([site])
        used = split_off_labelled(config)[1] if verb == "adapt" else [*sum(split_off_validation(config)[:2], [])]
        free = exclude([sample for sample in samples if sample.split == "train"], used)
        free = [free[i] for i in np.random.default_rng(0).permutation(len(free))[:MOST]]
        chosen = free + [sample for sample in samples if sample.split == "test"]
        with open(file, "w", newline="", encoding="utf-8") as stream:
            for sample, (text, confidence) in zip(chosen, reader.predict_samples(chosen)):
                row = (sample.split, reader.charset.normalize(sample.text), text, confidence)
                csv.writer(stream).writerow(row)
    with open(file, newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    parts = {part: [row for row in rows if row[0] == split] for part, split in (("free", "train"), ("test", "test"))}
    estimate = json.loads((folder / "train.json").read_text()).get("estimated_exact_match")
    return {
        part: (np.array([true == read for _, true, read, _ in rows]), np.array([float(row[3]) for row in rows]))
        for part, rows in parts.items()
    }, estimate


def empirical(rows: Rows) -> float:
    """The threshold of the highest accuracy with one retry - COST * refused; of equal ones, the least."""
    correct, confidences = rows
    worth = {least: value(rows, least)[0] for least in (0.0, *sorted(set(confidences)), 2.0)}
    return max(worth, key=worth.__getitem__)


def precise(rows: Rows) -> float:
    """The least threshold at which PRECISION of the accepted are right; 2 where there is none."""
    correct, confidences = rows
    return next((c for c in sorted(set(confidences)) if correct[confidences >= c].mean() >= PRECISION), 2.0)


def value(rows: Rows, threshold: float) -> tuple[float, float, float]:
    """The accuracy with one retry - COST * refused, and both."""
    correct, confidences = rows
    accuracy, refused = one_retry(correct, confidences >= threshold)
    return accuracy - COST * refused, accuracy, refused


def thresholds(rows: dict[str, Rows], estimate: float | None, counts: list[int], draws: int) -> dict[str, list[float]]:
    """The thresholds by rule and number of validation rows, one for each draw."""
    free, rng = rows["free"], np.random.default_rng(0)
    found = {
        "none": [0.0],
        "fixed": [0.8],
        "confident": [choose_threshold(free[1], float(free[1].mean()))],
        "unlabelled": [choose_threshold(free[1], estimate or float(free[1].mean()))],
        "bound": [empirical(rows["test"])],
    }
    rules = {"precision": precise, "empirical": empirical, "chosen": lambda rows: choose_threshold(rows[1], rows[0])}
    for count in counts:
        picks = [rng.permutation(len(free[0]))[:count] for _ in range(draws)]
        for name, rule in rules.items():
            found[f"{name} {count}"] = [rule((free[0][pick], free[1][pick])) for pick in picks]
    order = ["none", "fixed", "precision", "empirical", "confident", "unlabelled", "chosen", "bound"]
    return dict(sorted(found.items(), key=lambda item: order.index(item[0].split()[0])))


def table(results: dict[str, dict[str, dict]]) -> str:
    """Markdown: a row per reader, a column per rule and number of validation rows; means over the draws."""
    rules = list(next(iter(results.values())))
    lines = ["| reader | " + " | ".join(rules) + " |", "|" + "---|" * (1 + len(rules))]
    for reader, cells in results.items():
        parts = [f"{cells[rule]['accuracy']:.3f} at {100 * cells[rule]['refused']:.1f} %" for rule in rules]
        lines.append(f"| {reader} | {' | '.join(parts)} |")
    worth = [statistics.mean(cells[rule]["value"] for cells in results.values()) for rule in rules]
    spread = [statistics.mean(cells[rule]["spread"] for cells in results.values()) for rule in rules]
    lines.append(f"| mean, less the cost | {' | '.join(f'{mean:.4f}' for mean in worth)} |")
    lines.append(f"| spread of the threshold | {' | '.join(f'{mean:.3f}' for mean in spread)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sites", nargs="+", default=SITES)
    parser.add_argument("--readers", nargs="+", default=READERS, metavar="VERB_LABELS")
    parser.add_argument("--validation", type=int, nargs="+", default=[20, 50], help="validation rows in a draw")
    parser.add_argument("--draws", type=int, default=100)
    args, keys = parser.parse_known_args()
    missing = [site for site in args.sites if not (args.data / site / "labels.csv").is_file()]
    if missing:
        sys.exit(f"{args.data / missing[0]} has no labels.csv: give the folder that holds one folder per site")
    results: dict[str, dict] = {}
    for reader in args.readers:
        for site in args.sites:
            folder = args.output / reader / site
            folder.mkdir(parents=True, exist_ok=True)
            rows, estimate = predictions(reader, args.data / site, folder, keys)
            cells = results[f"{reader} {site}"] = {}
            for rule, chosen in thresholds(rows, estimate, args.validation, args.draws).items():
                measured = [value(rows["test"], threshold) for threshold in chosen]
                names = ("value", "accuracy", "refused")
                cells[rule] = {name: statistics.mean(values) for name, values in zip(names, zip(*measured))}
                cells[rule] |= {"threshold": statistics.mean(chosen), "spread": statistics.pstdev(chosen)}
            foot = f"Accuracy with one retry, at the share refused. A refusal costs {COST}."
            write(args.output, table(results), foot, json.loads(json.dumps(results, default=float)))
    print(table(results), circumstances(), sep="\n\n")


if __name__ == "__main__":
    main()
