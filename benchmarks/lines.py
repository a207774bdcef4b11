"""Printed lines and words in photographs: pretraining on their images, where a generator of captchas is no help.

    pip install ".[bench]"
    python benchmarks/lines.py --data DATA --output runs/lines

DATA holds folders with `labels.csv` (file,text,split): `line_*` of printed lines and `txt_*` of words in photographs.
Each of the two groups is pretrained on its own train rows by each method, with the method's defaults on lines, and one
reader a group is fine-tuned on 5, 10 and 100 % of the labels, the protocol of SeqCLR (arXiv:2012.10873); scratch is the
same without pretraining. A method's name is its arm. Finished parts are kept: the same command continues. Writes
table.md, results.json and accuracy.png for each group.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from pathlib import Path

from commands import keep_settings
from label_efficiency import Benchmark, run

from seqclr.data.discovery import find
from seqclr.methods import METHODS

SIZE = {"height": 32, "resize": "pad", "batch_size": 32}
GROUPS = {
    "line": {**SIZE, "width": 768, "encoder": "small"},
    "txt": {**SIZE, "width": 192, "encoder": "tiny"},
}
ARMS = ("scratch", "simclr", "simsiam", "masked", "masked_simclr", "ccd", "rclstr", "ssm")


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
    finetune = {**size, "views": "seqclr", "steps": args.steps, "learning_rate": args.rate}
    pretrain = {name: {**size, "method": name, "steps": args.pretraining_steps} for name in names if name != "scratch"}
    return {name: {"pretrain": pretrain[name], "finetune": finetune} if name in pretrain else {"finetune": finetune}
            for name in names}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--arms", nargs="+", metavar="ARM", choices=["scratch", *METHODS], default=ARMS)
    parser.add_argument("--percent", nargs="+", type=int, default=[5, 10, 100], help="of the labels of each folder")
    parser.add_argument("--pretraining-steps", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=2000, help="steps of fine-tuning")
    parser.add_argument("--rate", type=float, default=0.002, help="learning rate of fine-tuning")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    args = parser.parse_args()
    if not all(1 <= percent <= 100 for percent in args.percent):
        parser.error(f"percent {' '.join(map(str, args.percent))}: 1 to 100")
    folders = {group: sorted(args.data.glob(f"{group}_*")) for group in args.groups}
    for group, sites in folders.items():
        if not sites:
            sys.exit(f"{args.data} holds no folder {group}_*: give the folder that holds one folder per data set")
    keep_settings(args.output, {name: getattr(args, name) for name in ("pretraining_steps", "steps", "rate")})
    for group, sites in folders.items():
        output, chosen = args.output / group, arms(list(args.arms), GROUPS[group], args)
        output.mkdir(exist_ok=True)
        run(Percentages(sites, sites, output, chosen, args.percent[0]), args.arms, args.percent, args.seeds,
            unit="percent of the labels")  # fmt: skip


if __name__ == "__main__":
    main()
