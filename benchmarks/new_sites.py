"""New sites: what a reader of the package makes of a site, without labels and with few, beside other ways to start.

    pip install ".[bench]"
    python benchmarks/new_sites.py --data DATA --output runs/new_sites

DATA holds a folder per site, `cap_*` and `gen_*`, with `labels.csv` (file,text,split). The test rows are only measured;
characters and lengths are those of the train rows.
Arms:

    reader     the released reader as it is; no labels
    adapted    `seqclr adapt`, with each number of labels
    finetuned  the released reader fine-tuned on the labels
    scratch    fine-tuning of random weights on the labels
    keras      network and training of the Keras tutorial captcha_ocr on the labels (benchmarks/keras_captcha_ocr.py)
    ddddocr    as installed; no labels

reader and adapted know the characters and the lengths of the site's texts; ddddocr has no such option. Sites that
something was chosen on (TUNED) are marked, and the means are also given without them. Finished cells are
kept: the same command continues. Further `key=value` words go to `adapt`. Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from commands import circumstances, seqclr, write
from real_sites import untrained

# `adapt` was tried on the first three, its label propagation on the next two, its seeds on all cap_* but cap_lzu, its
# averaged views on lib_* and five cap_*, and the difficulty of generated images on cap_zf_old and cap_thsr; errors on
# cap_zf_old and gen_kcaptcha led to generated text that is cut off, or touches
TUNED = ("cap_lzu", "cap_tjsp", "cap_zf_old", "cap_thsr", "cap_swust_20191218", "cap_simple_v2", "cap_swust_20190121",
         "cap_kr_gov24", "gen_kcaptcha", "lib_django", "lib_svg", "lib_wheezy")  # fmt: skip
ARMS = ("reader", "adapted", "finetuned", "scratch", "keras", "ddddocr")
WITHOUT_LABELS = ("reader", "ddddocr")
METRICS = {"edit_distance_accuracy": "edit-distance accuracy", "exact_match": "exact match"}


def known(site: Path) -> list[str]:
    """The options that tell a site's characters and lengths, which a user sees at a glance."""
    with open(site / "labels.csv", newline="", encoding="utf-8") as stream:
        texts = [row["text"].lower() for row in csv.DictReader(stream) if row["split"] == "train"]
    lengths = ",".join(map(str, sorted({len(text) for text in texts})))
    return [f"--charset={''.join(sorted(set(''.join(texts))))}", f"--length={lengths}"]


def training(arm: str, labels: int, seed: int, site: Path, keys: list[str]) -> list[object]:
    """The verb that trains an arm, and its arguments but for the output; `keys` are further ones."""
    words = ["--data", site, "--labels", labels, f"seed={seed}"]
    if arm == "adapted":
        return ["adapt", *words, *known(site), *keys]
    start_from = ["--pretrained", "captcha"] if arm == "finetuned" else []
    return ["finetune", *words, "--split", "train", "case=lower", "views=strong", *start_from, *keys]


def measure(arm: str, labels: int, seed: int, site: Path, folder: Path, keys: list[str]) -> dict:
    """Trains what the arm trains and returns the metrics on the test rows, with the minutes of training."""
    run, start, told, file = folder / "run", time.perf_counter(), [], folder / "test.json"
    if arm == "ddddocr":
        return {**(untrained(site) or sys.exit("ddddocr is not installed")), "minutes": 0.0}
    if arm == "keras":
        file = folder / "keras.json"
        script = Path(__file__).with_name("keras_captcha_ocr.py")
        words = ["--data", site, "--labels", labels, "--seed", seed, "--json", file]
        subprocess.run([sys.executable, script, *map(str, words)], check=True)
        return json.loads(file.read_text())
    if arm == "reader":
        run, told = "captcha", known(site)
    else:
        resume = ["--resume"] if (run / "config.yaml").is_file() else []
        words = training(arm, labels, seed, site, keys)
        seqclr(*words, "--output", run, "--json", folder / "train.json", *resume)
    minutes = (time.perf_counter() - start) / 60
    seqclr("evaluate", "--model", run, "--data", site, "--split", "test", "--json", file, *told)
    figures = {**json.loads(file.read_text()), "minutes": minutes}
    if arm == "adapted":
        figures["estimated"] = json.loads((folder / "train.json").read_text())["estimated_exact_match"]
    return figures


def table(results: dict[str, dict]) -> str:
    """Markdown: a row per arm and number of labels, over the seeds; the means over all sites and the untuned ones."""
    sites = sorted({site for cells in results.values() for site in cells})
    heads = [f"{site.removeprefix('cap_')}{'*' if site in TUNED else ''}" for site in sites]
    lines = ["| arm | labels | mean | not tuned on | minutes | " + " | ".join(heads) + " |",
             "|" + "---|" * (5 + len(sites))]  # fmt: skip
    for name, cells in results.items():
        done = [site for site in sites if cells.get(site)]
        groups = [
            done,
            [site for site in done if site not in TUNED],
            *([site] if site in done else [] for site in sites),
        ]
        both = [" / ".join(mean(cells, group, metric) for metric in METRICS) for group in groups]
        row = [*name.split(), *both[:2], mean(cells, done, "minutes"), *both[2:]]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def mean(cells: dict, sites: list[str], metric: str) -> str:
    """The mean of a metric over sites and seeds."""
    values = [row[metric] for site in sites for row in cells[site].values()]
    return f"{statistics.mean(values):.3f}" if values else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sites", nargs="+", help="by default all")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--labels", nargs="+", type=int, default=[0, 10, 20, 50, 100])
    parser.add_argument("--seeds", type=int, default=1)
    args, keys = parser.parse_known_args()
    sites = [args.data / site for site in args.sites] if args.sites else sorted(
        [*args.data.glob("cap_*"), *args.data.glob("gen_*")]
    )  # fmt: skip
    if not sites:
        sys.exit(f"{args.data} holds no folder cap_* or gen_*: give the folder that holds one folder per site")
    results: dict[str, dict] = {}
    for arm in args.arms:
        more = keys if arm == "adapted" else []
        for labels in [0] if arm in WITHOUT_LABELS else [n for n in args.labels if n or arm == "adapted"]:
            for seed in [0] if arm in WITHOUT_LABELS else range(args.seeds):
                for site in sites:
                    folder = args.output / f"{arm}_{labels}_{seed}" / site.name
                    done = folder / "result.json"
                    if not done.is_file():
                        folder.mkdir(parents=True, exist_ok=True)
                        done.write_text(json.dumps(measure(arm, labels, seed, site, folder, more), indent=1))
                    cells = results.setdefault(f"{arm} {labels}", {}).setdefault(site.name, {})
                    cells[seed] = json.loads(done.read_text())
                    foot = f"Means of {' / '.join(METRICS.values())}; * something was chosen on it."
                    write(args.output, table(results), foot, results)
    print(table(results), circumstances(), sep="\n\n")


if __name__ == "__main__":
    main()
