"""Label transfer of SeLa: networks trained on the classes that it found, with equal, estimated and known sizes.

    python benchmarks/label_transfer.py --data DATA --output runs/label_transfer --tail 50

DATA is a folder of images with `labels.csv` (file,text,split), where `text` is a class. With --tail, its train rows are
thinned to a long tail: of the k-th of K classes stays the part `TAIL ** (-k / (K - 1))` of the largest possible number.
SeLa finds --clusters classes in the train rows, with each kind of --marginals (`true`: the sizes of the labels'
classes, for as many clusters). Each of --encoders is then trained on these classes, as `classifier`, and probed by a
linear classifier of its frozen features with the true labels, beside a randomly initialised encoder. Asano et al. 2020,
arXiv:1911.05371. Words such as `batch_size=32` are keys of all trainings. Finished parts are kept: the same command
continues. Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

from commands import keep_settings, seqclr, write
from runs import pretrained, probe

from seqclr.data import tables
from seqclr.data.discovery import find
from seqclr.data.samples import Sample
from seqclr.nn import clusters

SIZES = ("equal", "estimated", "true")


def thinned(samples: list[Sample], tail: float) -> list[Sample]:
    """The samples, of whose train rows a long tail of classes is drawn; the same every time."""
    rows: dict[str, list[Sample]] = {}
    for sample in samples:
        rows.setdefault(sample.text or "", []).append(sample)
    draw, kept = random.Random(0), []
    shares = [tail ** (-k / max(1, len(rows) - 1)) for k in range(len(rows))]
    train = [[sample for sample in rows[name] if sample.split != "test"] for name in sorted(rows)]
    largest = min(len(group) / share for group, share in zip(train, shares))
    for group, share in zip(train, shares):
        kept += draw.sample(group, max(1, int(largest * share)))
    return kept + [sample for sample in samples if sample.split == "test"]


class Benchmark:
    def __init__(self, args: argparse.Namespace):
        self.output, self.steps, self.clusters = args.output, args.steps, args.clusters
        self.keys = dict(word.split("=", 1) for word in args.keys)
        self.finder, self.data = args.finder, args.output / "images.csv"
        samples = find([args.data])
        if not self.data.is_file():
            kept = thinned(samples, args.tail) if args.tail > 1 else samples
            tables.write(self.data, kept)
        train = [sample for sample in find([self.data]) if sample.split != "test"]
        self.classes = {Path(sample.file).resolve(): sample.text for sample in train}
        self.counts = Counter(self.classes.values())

    def trained(self, method: str, run: Path, data: Path, encoder: str, **keys: object) -> Path:
        if pretrained(method, run, [data], self.steps, {"encoder": encoder, **self.keys, **keys}) is None:
            sys.exit(f"label_transfer: {method} refuses {data}")
        return run

    def found(self, sizes: str) -> Path:
        """A table of the train rows with the clusters of SeLa as text."""
        folder = self.output / sizes
        table = folder / "classes.csv"
        if not table.is_file():
            marginals = ",".join(map(str, self.counts.values())) if sizes == "true" else sizes
            keys = {"clusters": self.clusters, "marginals": marginals, "split": "train"}
            run = self.trained("sela", folder / "sela", self.data, self.finder, **keys)
            seqclr("pseudo-labels", "--model", run, "--output", table)
        return table

    def agreement(self, table: Path) -> dict:
        """The sizes of the clusters, and their normalised mutual information with the classes."""
        rows = [(sample.text, self.classes[Path(sample.file).resolve()]) for sample in find([table])]
        sizes = sorted(Counter(cluster for cluster, _ in rows).values(), reverse=True)
        return {"agreement": clusters.agreement(*zip(*rows)), "largest": sizes[0] / len(rows), "clusters": len(sizes)}

    def transferred(self, sizes: str, encoder: str) -> dict:
        """The row of an encoder trained on the clusters of SeLa with these sizes."""
        table, folder = self.found(sizes), self.output / sizes
        run = self.trained("classifier", folder / encoder, table, encoder)
        new = self.output / f"untrained-{encoder}.json"
        return {
            **self.agreement(table),
            "probe": probe(run, "linear", [self.data], folder / f"{encoder}-probe.json"),
            "untrained": probe(run, "linear", [self.data], new, "--untrained"),
        }


def table(rows: dict[str, dict]) -> str:
    head = ["sizes", "encoder", "clusters", "largest cluster", "agreement", "probe", "random weights"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in rows.items():
        figures = [f"{row[figure]:.3f}" for figure in ("largest", "agreement", "probe", "untrained")]
        lines.append("| " + " | ".join([*name.split(), str(row["clusters"]), *figures]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--tail", type=float, default=1.0, help="images of the largest class for one of the smallest")
    parser.add_argument("--marginals", nargs="+", choices=SIZES, default=["equal", "estimated"])
    parser.add_argument("--clusters", type=int, default=10)
    parser.add_argument("--finder", default="resnet9", help="the encoder that SeLa trains")
    parser.add_argument("--encoders", nargs="+", default=["alexnet", "resnet18"])
    parser.add_argument("--steps", type=int, default=1000, help="of each training")
    parser.add_argument("keys", nargs="*", metavar="KEY=VALUE")
    args = parser.parse_args()
    if not (args.data / "labels.csv").is_file():
        parser.error(f"{args.data} holds no labels.csv")
    if args.tail < 1:
        parser.error(f"tail {args.tail}: at least 1")
    changing = ("output", "marginals", "encoders")
    keep_settings(args.output, {name: str(value) for name, value in vars(args).items() if name not in changing})
    benchmark, rows = Benchmark(args), {}
    if "true" in args.marginals and len(benchmark.counts) != args.clusters:
        parser.error(f"marginals true: clusters {args.clusters}, but the labels have {len(benchmark.counts)} classes")
    for sizes in args.marginals:
        for encoder in args.encoders:
            rows[f"{sizes} {encoder}"] = benchmark.transferred(sizes, encoder)
            print(table(rows), flush=True)
    tail = f", thinned to a tail of {args.tail:g}" if args.tail > 1 else ""
    foot = f"{args.data.name}{tail}; {sum(benchmark.counts.values())} images, {args.steps} steps each, one seed."
    write(args.output, table(rows), foot, rows)


if __name__ == "__main__":
    main()
