"""When the server reports that a site has changed, on real sites, and how often it does on a steady site.

    python benchmarks/new_sites.py --data DATA --output runs/new_sites --arms adapted --labels 100
    python benchmarks/drift.py --data DATA --readers runs/new_sites/adapted_100_0 --output runs/drift

DATA holds a folder per site with `labels.csv` (file,text,split), READERS a run per site, `SITE/run`. A pair
`BEFORE:AFTER` is the reader of BEFORE, to which BEFORE changes into AFTER. Requests are test rows, drawn with
replacement; the outcome of a request is whether the text is right. Per seed:

    change    enough requests of BEFORE for all first values, STEADY further ones, then at most MOST of AFTER
    steady    the first ones, then 5,000 of BEFORE (`--requests`)

`seqclr.serve.drift.Drift` gets them as from the server, confidences and outcomes apart. Finished predictions are kept.
Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import csv
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
STEADY, MOST, SOON = 300, 400, 50  # requests
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


def delays(signal: str, before: Rows, after: Rows, seeds: int) -> list[int | None]:
    """Per seed, the requests after a change until it is reported. A report before the change counts as none."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        drift = started(signal, before, rng)
        early = reported(drift, signal, rng.choice(before[signal], STEADY))
        found.append(None if early else reported(drift, signal, rng.choice(after[signal], MOST)))
    return found


def false_alarms(signal: str, rows: Rows, seeds: int, requests: int) -> int:
    """In how many seeds a change of a steady site is reported."""
    alarms = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        alarms += reported(started(signal, rows, rng), signal, rng.choice(rows[signal], requests)) is not None
    return alarms


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
    parser.add_argument("--seeds", type=int, default=20)
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
        changes[pair] = {signal: delays(signal, rows, changed, args.seeds) for signal in SIGNALS}
        changes[pair] |= {"exact_match": rows["acceptance"].mean(), "exact_match_after": changed["acceptance"].mean()}
        if before.name not in steady:
            steady[before.name] = {"seeds": args.seeds, "requests": args.requests}
            steady[before.name] |= {s: false_alarms(s, rows, args.seeds, args.requests) for s in SIGNALS}
        foot = f"Requests until the report: least, median, most of {args.seeds} seeds; - none within {MOST}."
        write(args.output, table(changes, steady), foot, {"changes": changes, "steady": steady})
    print((args.output / "table.md").read_text())


if __name__ == "__main__":
    main()
