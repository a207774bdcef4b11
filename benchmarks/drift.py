"""When the server reports that a site has changed, on real sites, and how often it does on a steady site.

    python benchmarks/new_sites.py --data DATA --output runs/new_sites --arms adapted --labels 100
    python benchmarks/drift.py --data DATA --readers runs/new_sites/adapted_100_0 --output runs/drift

DATA holds a folder per site with `labels.csv` (file,text,split), READERS a run per site, `SITE/run`. A pair
`BEFORE:AFTER` is the reader of BEFORE, to which BEFORE changes into AFTER. Requests are test rows, drawn with
replacement; the outcome of a request is whether the text is right. Per seed:

    change    as many requests of BEFORE as `Drift` compares nothing with, 300 further ones (`--steady`), which it
              compares and adds to its first values, then at most MOST of AFTER
    steady    the first ones, then 5,000 of BEFORE (`--requests`)

A last row counts the false alarms of a simulated site, with uniform confidences, of which 0.7 are right. Ranks have the
same distribution for every continuous distribution of confidences, so it needs no site.

`seqclr.serve.drift.Drift` gets them as from the server, confidences and outcomes apart. Finished predictions are kept.
Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import logging
import statistics
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from commands import sites_of, write

from seqclr.data.discovery import find
from seqclr.recognition.recognizer import Recognizer
from seqclr.serve.drift import FIRST, Drift
from seqclr.serve.metrics import Metrics

PAIRS = [
    "cap_swust_20190121:cap_swust_20191218",  # one site, in January and in December
    "cap_swust_20191218:cap_swust_20190121",
    "cap_kr_gov24:cap_lzu",
    "cap_lzu:cap_tjsp",
    "cap_simple_v2:cap_thsr",
    "cap_thsr:cap_zf_old",
    "cap_tjsp:cap_kr_gov24",
    "cap_zf_old:cap_simple_v2",
]
MOST, SOON = 400, 50  # requests after a change
SIGNALS = {"confidence": Drift.add_confidence, "acceptance": Drift.add_outcome}
Rows = dict[str, np.ndarray]  # by signal: a value for each image


def predictions(run: Path, site: Path, split: str, file: Path) -> Rows:
    """The reader's confidences, and whether its texts are right, on the rows of a split, which `file` keeps."""
    if not file.is_file():
        reader, samples = Recognizer.load(run), find([site], split)
        rows = [
            (confidence, int(reader.charset.normalize(sample.text) == text))
            for sample, (text, confidence) in zip(samples, reader.predict_samples(samples))
        ]
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(rows)
    confidences, right = np.loadtxt(file, delimiter=",", ndmin=2).T
    return {"confidence": confidences, "acceptance": right}


def reported(drift: Drift, signal: str, values: Iterable[float]) -> int | None:
    """The number of the first value after which a change is reported; None without."""
    for number, value in enumerate(values, 1):
        SIGNALS[signal](drift, value)
        if drift.message():
            return number
    return None


def started(signal: str, rows: Rows, rng: np.random.Generator) -> Drift:
    """A detector that has the first values."""
    drift = Drift("reader", Metrics())
    assert reported(drift, signal, rng.choice(rows[signal], FIRST[signal])) is None
    return drift


def delays(signal: str, before: Rows, after: Rows, seeds: int, steady: int) -> list[int | None]:
    """Per seed, the requests after a change until it is reported. A report before the change counts as none."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        drift = started(signal, before, rng)
        early = reported(drift, signal, rng.choice(before[signal], steady))
        found.append(None if early else reported(drift, signal, rng.choice(after[signal], MOST)))
    return found


def steadiness(rows: Rows, seeds: int, requests: int) -> dict[str, int]:
    """By signal, in how many seeds a change of a steady site is reported; and the number of seeds and of requests."""
    found = dict.fromkeys(SIGNALS, 0)
    for signal, seed in itertools.product(SIGNALS, range(seeds)):
        rng = np.random.default_rng(seed)
        drift = started(signal, rows, rng)
        found[signal] += reported(drift, signal, rng.choice(rows[signal], requests)) is not None
    return {"seeds": seeds, "requests": requests, **found}


def simulated() -> Rows:
    """Uniform confidences, and outcomes of which 0.7 are right."""
    uniform = np.random.default_rng(0).random(1_000_000)
    return {"confidence": uniform, "acceptance": (uniform < 0.7).astype(float)}


def table(changes: dict[str, dict], steady: dict[str, dict]) -> str:
    """Markdown: a row per pair, then a row per steady site."""
    lines = [
        f"| site | changes into | exact match | then | by confidence | within {SOON} | by outcomes | within {SOON} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for pair, row in changes.items():
        cells = [*pair.split(":"), *(f"{row[name]:.2f}" for name in ("exact_match", "exact_match_after"))]
        for signal in SIGNALS:
            cells += [span(row[signal]), f"{share_soon(row[signal]):.0%}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| steady site | requests | false alarms by confidence | by outcomes |", "|---|---|---|---|"]
    for site, row in steady.items():
        counts = (f"{row[signal]} of {row['seeds']}" for signal in SIGNALS)
        lines.append(f"| {site} | {row['requests']} | {' | '.join(counts)} |")
    return "\n".join(lines)


def span(found: list[int | None]) -> str:
    """The least, the median and the highest number of requests, such as `11, 12, 14`; `-` stands for no report."""
    numbers = sorted(MOST + 1 if each is None else each for each in found)
    middle = statistics.median_high(numbers)
    return ", ".join("-" if each > MOST else str(each) for each in (numbers[0], middle, numbers[-1]))


def share_soon(found: list[int | None]) -> float:
    return statistics.mean(each is not None and each <= SOON for each in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--readers", type=Path, required=True, help="a folder with SITE/run of each site BEFORE")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="BEFORE:AFTER")
    parser.add_argument("--split", default="test", help="rows that requests are drawn from")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--steady", type=int, default=300, help="requests before a change, after the first ones")
    parser.add_argument("--simulated", type=int, default=1000, help="seeds of the simulated site")
    parser.add_argument("--requests", type=int, default=5000, help="of a steady site")
    args = parser.parse_args()
    logging.getLogger("seqclr").setLevel(logging.ERROR)  # each report is a warning
    changes: dict[str, dict] = {}
    steady: dict[str, dict] = {}
    for pair in args.pairs:
        before, after = sites_of(args.data, pair.split(":"))
        rows, changed = (
            predictions(args.readers / before.name / "run", site, args.split,
                        args.output / "predictions" / args.split / before.name / f"{site.name}.csv")
            for site in (before, after)
        )  # fmt: skip
        changes[pair] = {signal: delays(signal, rows, changed, args.seeds, args.steady) for signal in SIGNALS}
        changes[pair] |= {"exact_match": rows["acceptance"].mean(), "exact_match_after": changed["acceptance"].mean()}
        if before.name not in steady:
            steady[before.name] = steadiness(rows, args.seeds, args.requests)
        foot = (
            f"Requests until the report: least, median, most of {args.seeds} seeds; - none within {MOST}. "
            f"{args.steady} steady requests after the first ones."
        )
        write(args.output, table(changes, steady), foot, {"changes": changes, "steady": steady})
    steady["simulated"] = steadiness(simulated(), args.simulated, args.requests)
    write(args.output, table(changes, steady), foot, {"changes": changes, "steady": steady})
    print((args.output / "table.md").read_text())


if __name__ == "__main__":
    main()
