"""Real captchas: a recognizer per site with all train labels and default settings, compared with ddddocr.

    pip install ".[bench]"
    python benchmarks/real_sites.py --data DATA --output runs/real_sites

DATA holds a folder per site with `labels.csv` (file,text,split). Per site: fine-tuning from scratch with the defaults
(further `key=value` words are passed on), evaluation on the test split, and ddddocr, as installed and not fine-tuned,
on the same images, compared without case. Finished sites are kept: the same command continues. Writes
table.md and results.json.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from commands import circumstances, seqclr

from seqclr.data.discovery import find
from seqclr.errors import UserError
from seqclr.recognition import metrics

SITES = ["cap_kr_gov24", "cap_lzu", "cap_simple_v2", "cap_swust_20190121", "cap_swust_20191218", "cap_thsr", "cap_tjsp",
         "cap_zf_old"]  # fmt: skip


def measure(site: Path, output: Path, overrides: list[str]) -> dict:
    """Trains and evaluates one site; minutes: duration of the training command."""
    start = time.perf_counter()
    seqclr("finetune", "--data", site, "--split", "train", "--output", output / "run", *overrides)
    minutes = (time.perf_counter() - start) / 60
    figures = output / "test.json"
    seqclr("evaluate", "--model", output / "run", "--data", site, "--split", "test", "--json", figures,
         "--plots", output / "test")  # fmt: skip
    scores = json.loads(figures.read_text())
    return {
        "train_labels": len(find([site], "train")),
        "minutes": minutes,
        "seqclr": scores,
        "ddddocr": untrained(site),
    }


def untrained(site: Path) -> dict | None:
    """The metrics of ddddocr, or None where it is not installed."""
    try:
        import ddddocr
    except ImportError:
        return None
    reader = ddddocr.DdddOcr(show_ad=False)
    samples = find([site], "test")
    predictions = [reader.classification(sample.read_bytes()).lower() for sample in samples]
    return metrics.scores([sample.text.lower() for sample in samples], predictions)


def table(results: dict) -> str:
    """Markdown: a row per site, and one of the means."""
    head = [
        "site",
        "train labels",
        "edit-distance accuracy",
        "exact match",
        "minutes",
        "ddddocr",
        "ddddocr exact match",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]

    def line(name, rows):
        mean = lambda pick: sum(pick(row) for row in rows) / len(rows)  # noqa: E731
        cells = [name, f"{mean(lambda r: r['train_labels']):.0f}"]
        cells += [f"{mean(lambda r, k=k: r['seqclr'][k]):.4f}" for k in ("edit_distance_accuracy", "exact_match")]
        cells += [f"{mean(lambda r: r['minutes']):.1f}"]
        both = all(row["ddddocr"] for row in rows)
        for k in ("edit_distance_accuracy", "exact_match"):
            cells.append(f"{mean(lambda r, k=k: r['ddddocr'][k]):.4f}" if both else "-")
        return "| " + " | ".join(cells) + " |"

    lines += [line(site, [row]) for site, row in results.items()]
    return "\n".join([*lines, line("mean", list(results.values()))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sites", nargs="+", default=SITES)
    args, overrides = parser.parse_known_args()
    args.output.mkdir(parents=True, exist_ok=True)
    results = {}
    for site in args.sites:
        done = args.output / site / "result.json"
        if not done.is_file():
            try:
                result = measure(args.data / site, args.output / site, overrides)
            except (UserError, subprocess.CalledProcessError) as error:
                sys.exit(f"real_sites: {site}: {error}")
            done.write_text(json.dumps(result, indent=1))
        results[site] = json.loads(done.read_text())
        print(table({site: results[site]}), flush=True)
    text = f"{table(results)}\n\n{circumstances()}"
    (args.output / "table.md").write_text(text + "\n")
    (args.output / "results.json").write_text(json.dumps(results, indent=1))
    print(text)


if __name__ == "__main__":
    main()
