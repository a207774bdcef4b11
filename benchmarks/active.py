"""What to label next: exact match against the number of labels, for each strategy of the labelling page.

    pip install ".[bench]"
    python benchmarks/active.py --data DATA --output runs/active

DATA holds a folder per site, `cap_*`, with `labels.csv` (file,text,split). The train rows are the images without
labels, their texts the answers of the person who labels; the test rows are only measured. Characters and lengths are
known. Every round chooses images up to its number of labels by the predictions of the reader of the round before, the
first one by those of the reader of the package, and adapts the latter to all images with all labels so far.

Finished rounds are kept: the same command continues. Further `key=value` words go to `adapt`. Writes table.md and
results.json. Ratios are those of errors to the errors of `random` on the same sites with the same seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from commands import circumstances, seqclr, sites_of, write
from new_sites import known

from seqclr.data import images
from seqclr.data.discovery import find
from seqclr.data.knowledge import Known
from seqclr.data.samples import Sample
from seqclr.export.reader import load_reader
from seqclr.labelling import certainty, strategies

COUNTS = (10, 20, 50, 100, 200)
START = "captcha"


def unlabelled(site: Path, folder: Path) -> list[Sample]:
    """Copies the train images into a folder without a table; returns the copies with their texts."""
    copies = []
    folder.mkdir(parents=True, exist_ok=True)
    for sample in find([site], "train"):
        copy = folder / Path(sample.file).name
        if not copy.is_file():
            shutil.copyfile(sample.file, copy)
        copies.append(Sample(site.name, str(copy), sample.text))
    return copies


def rounds(site: Path, output: Path, strategy: str, seed: int, counts: Sequence[int], keys: Sequence[str]
           ) -> Iterator[dict]:  # fmt: skip
    """Labels and trains; yields of each round the metrics on the test rows, with `labels` and keystrokes.

    typed: the keystrokes of typing the text of every label and Enter. corrected: those of accepting a right prediction
    by Enter, and typing in the place of a wrong one.
    """
    samples = unlabelled(site, output / "pool" / site.name)
    model, chosen, costs = START, [], {"typed": 0, "corrected": 0}
    for count in counts:
        folder = output / f"{strategy}_{seed}" / site.name / str(count)
        done = folder / "result.json"
        if not done.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            new, texts = choose(model, site, samples, strategy, seed, chosen, count)
            chosen = [*chosen, *new]
            for index in new:
                length, right = len(samples[index].text), samples[index].text.lower() == texts[index]
                costs = {
                    "typed": costs["typed"] + length + 1,
                    "corrected": costs["corrected"] + (1 if right else length + 1),
                }
            figures = train(site, output / "pool" / site.name, [samples[index] for index in chosen], seed, folder, keys)
            done.write_text(json.dumps({"labels": len(chosen), **costs, "chosen": chosen, **figures}, indent=1))
        result = json.loads(done.read_text())
        model, chosen = str(folder / "run"), result["chosen"]
        costs = {name: result[name] for name in costs}
        yield result


def choose(model: str, site: Path, samples: list[Sample], strategy: str, seed: int, chosen: list[int], count: int
           ) -> tuple[list[int], list[str]]:  # fmt: skip
    """The next images, and what the reader predicts of all."""
    reader = load_reader(model)
    if model == START:
        charset, length = (word.split("=", 1)[1] for word in known(site))
        reader = reader.knowing(Known.of(charset, length))
    arrays = (images.decode(sample.read_bytes(), sample.name) for sample in samples)
    predictions = list(certainty.predict(reader, arrays, with_features=strategy in strategies.FEATURES))
    order = strategies.order(strategy, predictions, chosen, seed)
    return order[: count - len(chosen)], [prediction.text for prediction in predictions]


def train(site: Path, pool: Path, labelled: list[Sample], seed: int, folder: Path, keys: Sequence[str]) -> dict:
    """Adapts to the images with these labels; returns the metrics on the test rows and the minutes of training."""
    table, run, test, start = folder / "labels.csv", folder / "run", folder / "test.json", time.perf_counter()
    if not table.is_file():
        with open(table, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("file", "text"), *((Path(s.file).absolute(), s.text) for s in labelled)])
    resume = ["--resume"] if (run / "config.yaml").is_file() else []
    seqclr("adapt", "--data", pool, table, "--output", run, f"seed={seed}", *known(site), *keys, *resume)
    minutes = (time.perf_counter() - start) / 60
    seqclr("evaluate", "--model", run, "--data", site, "--split", "test", "--json", test)
    figures = json.loads(test.read_text())
    return {name: figures[name] for name in ("exact_match", "edit_distance_accuracy")} | {"minutes": minutes}


def table(results: dict[str, dict[int, dict[str, dict[int, float]]]]) -> str:
    """Markdown: a row per strategy and number of labels. results: exact match by strategy, labels, site and seed."""
    sites = sorted({site for counts in results.values() for cells in counts.values() for site in cells})
    names = [site.removeprefix("cap_") for site in sites]
    lines = [
        "| strategy | labels | exact match | errors against random | " + " | ".join(names) + " |",
        "|" + "---|" * (4 + len(sites)),
    ]
    for strategy, counts in results.items():
        for count, cells in counts.items():
            base = results.get("random", {}).get(count, {})
            pairs = [
                (1 - value, 1 - base[site][seed])
                for site, seeds in cells.items()
                for seed, value in seeds.items()
                if seed in base.get(site, {})
            ]
            errors, others = map(sum, zip(*pairs)) if pairs else (0, 0)
            ratio = f"{errors / others:.2f}" if others else "-"
            each = [f"{statistics.mean(cells[site].values()):.3f}" if site in cells else "" for site in sites]
            mean = statistics.mean(value for seeds in cells.values() for value in seeds.values())
            lines.append(f"| {strategy} | {count} | {mean:.3f} | {ratio} | {' | '.join(each)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sites", nargs="+", help="by default all")
    parser.add_argument("--strategies", nargs="+", choices=strategies.STRATEGIES, default=[*strategies.STRATEGIES])
    parser.add_argument("--labels", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--seeds", type=int, default=3)
    args, keys = parser.parse_known_args()
    sites, results = sites_of(args.data, args.sites), {}
    for seed in range(args.seeds):
        for site in sites:
            for strategy in args.strategies:
                for figures in rounds(site, args.output, strategy, seed, sorted(args.labels), keys):
                    cells = results.setdefault(strategy, {}).setdefault(figures["labels"], {})
                    cells.setdefault(site.name, {})[seed] = figures["exact_match"]
                    write(args.output, table(results), "Means over sites and seeds.", results)
    print(table(results), circumstances(), sep="\n\n")


if __name__ == "__main__":
    main()
