"""Printed lines and words in photographs: pretraining on their images, where a generator of captchas is no help.

    pip install ".[bench]"
    python benchmarks/lines.py --data DATA --output runs/lines

DATA holds folders with `labels.csv` (file,text,split): `line_*` of printed lines and `txt_*` of words in photographs.
Each of the two groups is pretrained on its own train rows by each method, with the method's defaults on lines, and one
reader a group is fine-tuned on 5, 10 and 100 % of the labels, the protocol of SeqCLR (arXiv:2012.10873); scratch is the
same without pretraining. A method's name is its arm. Each arm has the learning rate of --rates that is best on its
validation rows, a tenth of its labels, at --tune-at percent and the first seed; the table shows all of them. These rows
also name the best of the newer methods. Finished parts are kept: the same command continues. Writes table.md,
results.json and accuracy.png for each group.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from pathlib import Path

from commands import keep_settings
from label_efficiency import Benchmark, best_of, run, tried

from seqclr.data.discovery import find
from seqclr.methods import METHODS

SIZE = {"height": 32, "resize": "pad", "batch_size": 32}
GROUPS = {
    "line": {**SIZE, "width": 768, "encoder": "small"},
    "txt": {**SIZE, "width": 192, "encoder": "tiny"},
}
NEWER = ("nnclr", "masked_simclr", "ccd", "rclstr", "ssm")  # positives of other images, and what followed SeqCLR
ARMS = ("scratch", "simclr", "simsiam", "masked", *NEWER)


class Percentages(Benchmark):
    """Budgets are percentages of the labels of each folder."""

    def labelled(self, labels, seed):
        return ["--data", *(self.drawn(site, labels, seed) for site in self.sites)]

    def drawn(self, site: Path, percent: int, seed: int) -> Path:
        """A table of a random part of the train rows of a folder, at least one."""
        rows = [sample for sample in find([site], "train") if sample.text]
        rows = random.Random(seed).sample(rows, max(1, round(len(rows) * percent / 100)))
        table = self.output / "labels" / f"{site.name}-{percent}-{seed}.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        with open(table, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", "text", "split"])
            writer.writerows([Path(row.file).absolute(), row.text, "train"] for row in rows)
        return table


def arms(names: list[str], size: dict, args: argparse.Namespace) -> dict[str, dict]:
    """The arms as of label_efficiency.py."""
    finetune = {**size, "views": "seqclr", "steps": args.steps, "learning_rate": args.rates}
    pretrain = {name: {**size, "method": name, "steps": args.pretraining_steps} for name in names if name != "scratch"}
    return {name: {"pretrain": pretrain[name], "finetune": finetune} if name in pretrain else {"finetune": finetune}
            for name in names}  # fmt: skip


def best_newer(output: Path) -> str:
    """A sentence that names the arm of NEWER that is best on validation rows; empty where none was run."""
    rows = [{"arm": arm, **best_of(tried(output, arm))} for arm in NEWER if tried(output, arm)]
    if not rows:
        return ""
    return f"Of {', '.join(row['arm'] for row in rows)}, {best_of(rows)['arm']} is best on validation rows."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--arms", nargs="+", metavar="ARM", choices=["scratch", *METHODS], default=ARMS)
    parser.add_argument("--percent", nargs="+", type=int, default=[5, 10, 100], help="of the labels of each folder")
    parser.add_argument("--pretraining-steps", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=2000, help="steps of fine-tuning")
    parser.add_argument("--rates", nargs="+", type=float, default=[0.0005, 0.001, 0.002], help="of fine-tuning")
    parser.add_argument("--tune-at", type=int, default=10, metavar="PERCENT", help="at which an arm's rate is chosen")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    args = parser.parse_args()
    if not all(1 <= percent <= 100 for percent in (*args.percent, args.tune_at)):
        parser.error(f"percent {' '.join(map(str, args.percent))}, tune-at {args.tune_at}: 1 to 100")
    folders = {group: sorted(args.data.glob(f"{group}_*")) for group in args.groups}
    for group, sites in folders.items():
        if not sites:
            sys.exit(f"{args.data} holds no folder {group}_*: give the folder that holds one folder per data set")
    shared = ("pretraining_steps", "steps", "rates", "tune_at")
    keep_settings(args.output, {name: getattr(args, name) for name in shared})
    for group, sites in folders.items():
        output, chosen = args.output / group, arms(list(args.arms), GROUPS[group], args)
        output.mkdir(exist_ok=True)
        benchmark = Percentages(sites, sites, output, chosen, args.tune_at)
        run(benchmark, args.arms, args.percent, args.seeds, unit="percent of the labels")
        best = best_newer(output)
        with open(output / "table.md", "a") as stream:
            stream.write(f"\n{best}\n")
        print(best)


if __name__ == "__main__":
    main()
