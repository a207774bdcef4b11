"""Whether `check --model` finds labels that were spoilt on purpose.

    python benchmarks/label_errors.py --data DATA --output runs/label_errors --sites cap_tjsp cap_kr_gov24

DATA holds a folder per site with `labels.csv` (file,text,split). Of the first `--count` train rows of a site, 5 % get
a wrong label: one character replaced by another of the site (`character`), or their texts swapped (`swapped`).
Readers:

    captcha     the reader of the package, which has seen no label
    finetuned   fine-tuned on all these labels, the spoilt ones too; so it is cross-fitted by `check`

The figure is the share of the spoilt labels among the first 10 % that are listed, of all labels. Finished parts are
kept: the same command continues. Further `key=value` words go to `finetune`. Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
from pathlib import Path

from commands import seqclr, write

from seqclr.data.discovery import find

SHARE, LISTED = 0.05, 0.1


def spoil(site: Path, folder: Path, kind: str, count: int) -> set[str]:
    """Writes a folder of images and labels, of which SHARE are wrong; returns the names of these."""
    samples = [sample for sample in find([site]) if sample.split == "train"][:count]
    draw = random.Random(0)
    characters = sorted({character for sample in samples for character in sample.text})
    texts = [sample.text for sample in samples]
    wrong = draw.sample(range(len(samples)), round(SHARE * len(samples)))
    for row, other in zip(wrong, [*wrong[1:], wrong[0]]):
        text = samples[row].text
        if kind == "swapped":
            texts[row] = samples[other].text
        else:
            place = draw.randrange(len(text))
            character = draw.choice([c for c in characters if c.lower() != text[place].lower()])
            texts[row] = text[:place] + character + text[place + 1 :]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("file", "text"), *((Path(s.file).name, t) for s, t in zip(samples, texts))])
    for sample in samples:
        shutil.copy(sample.file, folder / "images")
    return {Path(samples[row].file).name for row in wrong if texts[row].lower() != samples[row].text.lower()}


def found(data: Path, wrong: set[str], model: str | Path, folder: Path, count: int) -> float:
    """The share of the wrong labels among the first that `check` lists."""
    table = folder / "label_errors.csv"
    if not table.is_file():
        resume = ["--resume"] if folder.is_dir() else []
        seqclr("check", data, "--model", model, "--output", folder, *resume)
    with open(table, newline="", encoding="utf-8") as stream:
        rows = [Path(row["file"]).name for row in csv.DictReader(stream)]
    return len(wrong & set(rows[: round(LISTED * count)])) / len(wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sites", nargs="+", default=["cap_tjsp", "cap_kr_gov24"])
    parser.add_argument("--kinds", nargs="+", default=["character", "swapped"])
    parser.add_argument("--readers", nargs="+", default=["captcha", "finetuned"])
    parser.add_argument("--count", type=int, default=1000, help="labels of a site")
    args, keys = parser.parse_known_args()
    results: dict[str, dict[str, float]] = {}
    for site in args.sites:
        for kind in args.kinds:
            folder = args.output / site / kind
            wrong = spoil(args.data / site, folder / "data", kind, args.count)
            cells = results[f"{site}, {kind}"] = {}
            for reader in args.readers:
                model: str | Path = reader
                if reader == "finetuned":
                    model = folder / "run"
                    if not (folder / "trained").is_file():
                        resume = ["--resume"] if (model / "config.yaml").is_file() else []
                        seqclr("finetune", "--data", folder / "data", "--pretrained", "captcha", "--output", model,
                               "case=lower", *keys, *resume)  # fmt: skip
                        (folder / "trained").touch()
                cells[reader] = found(folder / "data", wrong, model, folder / reader, args.count)
                lines = ["| labels | " + " | ".join(args.readers) + " |", "|" + "---|" * (1 + len(args.readers))]
                lines += [
                    f"| {name} | " + " | ".join(f"{row[r]:.3f}" if r in row else "" for r in args.readers) + " |"
                    for name, row in results.items()
                ]
                foot = (
                    f"Share of the {SHARE:.0%} wrong labels among the first {LISTED:.0%} listed, {args.count} labels."
                )
                write(args.output, "\n".join(lines), foot, results)
    print((args.output / "table.md").read_text())


if __name__ == "__main__":
    main()
