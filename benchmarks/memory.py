"""Resident memory over one pass of a streamed pack: growth would be a leak of the loader.

    python benchmarks/memory.py --count 100000
    python benchmarks/memory.py --data PACK

Packs 1,000 generated images repeatedly into a temporary folder, `--count` records in all, or takes your data. The
loader makes two views of every record once, in batches of 96 at 32x128, and decodes at every access, as it does for
data of more than 1 GiB. Measures this process and its workers, on Linux only.
"""

import argparse
import csv
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
from commands import circumstances

from seqclr.curation.pack import pack
from seqclr.data import dataset as datasets
from seqclr.data.discovery import find_unlabelled
from seqclr.data.loader import Loader
from seqclr.synthesis import generate
from seqclr.transforms.two_views import TwoViews

IMAGES = 1000


def make(folder: Path, count: int) -> Path:
    """A pack of `count` records."""
    generate.generate(folder / "images", IMAGES)
    files = sorted((folder / "images" / "images").iterdir())
    with open(folder / "list.csv", "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "text"])
        rows.writerows([files[i % IMAGES], "any"] for i in range(count))
    pack([folder / "list.csv"], folder / "pack")
    return folder / "pack"


def resident() -> tuple[float, float]:
    """MiB of this process and of its workers together."""
    own, *workers = (_of(process) for process in ("self", *(child.pid for child in multiprocessing.active_children())))
    return own, sum(workers)


def _of(process: int | str) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def measure(data: str, processes: int) -> None:
    start = resident()[0]
    samples = find_unlabelled([data])
    listed = resident()[0]
    dataset = datasets.ImageDataset(samples, 32, 128, "stretch", skip_bad=True)
    print(f"MiB of this process: {start:.0f} at the start, {listed:.0f} with {len(samples)} samples, "
          f"{resident()[0]:.0f} with their headers checked")  # fmt: skip
    batches = Loader(dataset, TwoViews("article"), 96, seed=0, processes=processes)
    began, samples = time.perf_counter(), []
    for _ in range(batches.steps_per_epoch):
        next(batches)
        samples.append(resident())
    batches.close()
    tenths = [part.mean(0) for part in np.array_split(np.array(samples), 10)]
    for name, (own, others) in (("first", tenths[0]), ("last", tenths[-1])):
        print(f"MiB in the {name} tenth of the pass: {own:.0f} and {others:.0f} in {processes} workers")
    grown = tenths[-1].sum() / tenths[0].sum() - 1
    print(f"{100 * grown:+.1f} % over the pass, {96 * len(samples) / (time.perf_counter() - began):.0f} images/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--data")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    datasets.CACHE_BYTES = 0
    with tempfile.TemporaryDirectory() as folder:
        measure(args.data or make(Path(folder), args.count), args.processes)
    print(circumstances())


if __name__ == "__main__":
    main()
