"""Translation: whether translated images look like a site's, keep their texts, and train a better reader of the site.

    pip install ".[bench]"
    python benchmarks/translation.py --data DATA --output runs/translation --sites cap_tjsp cap_zf_old cap_lzu

DATA holds a folder per site with `labels.csv` (file,text,split). No label is trained on; characters and lengths are
those of the train rows, which a user sees at a glance. For each site a method of translation is trained on its
images but those of test and validation rows, and generated images in random styles are translated. Of generated and of
translated images:

    distance       Frechet distance (Heusel et al. 2017, arXiv:1706.08500) to the site's test images, of the mean frames
                   of the Transformer of `captcha`, the released reader; the least possible is that of the site's other
                   images
    readable       exact match of `captcha` on them, which knows characters and lengths
    reader         exact match on the site's test images of `captcha`, fine-tuned on them

pix2pix removes clutter, so its images are no training data: `readable` is of generated images without their clutter,
and `reader` the exact match of `captcha` as it is on the site's test images without theirs, to compare with the row
`none`.

Finished cells are kept: the same command continues. Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
from commands import circumstances, keep_settings, seqclr, sites_of, write
from new_sites import known
from scipy.linalg import sqrtm

from seqclr.data import tables
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find
from seqclr.data.samples import Sample
from seqclr.synthesis import variety

SIZE = {"height": 32, "width": 128}
METRICS = ("distance", "readable", "reader")
DENOISER = "pix2pix"
METHODS = ("cut", "cyclegan", DENOISER)


class Benchmark:
    def __init__(self, output: Path, steps: int, images: int, reader_steps: int, keys: list[str]):
        self.output, self.steps, self.images = output, steps, images
        self.reader_steps, self.keys = reader_steps, keys

    def rows(self, site: Path, methods: list[str]) -> dict[str, dict]:
        """The metrics of each kind of images of a site; with those of its train images."""
        folder = self.output / site.name
        made = {"generated": once(folder / "generated", lambda new: self.generate(site, new))}
        for method in methods:
            if method != DENOISER:
                run = self.translator(site, method, folder / f"run_{method}")
                made[method] = translated(run, made["generated"], folder / method)
        untrained = self.evaluated("captcha", site, ["--split", "test"], folder / "captcha.json", known(site))
        distance = self.distance(site, site, "train", folder / "train_distance.json")
        rows = {"none": {"reader": untrained}, "train images": {"distance": distance}}
        for name, images in made.items():
            rows[name] = {
                "distance": self.distance(site, images, None, folder / f"{name}_distance.json"),
                "readable": self.evaluated("captcha", images, [], folder / f"{name}_readable.json", known(site)),
                "reader": self.reader(site, images, folder / f"reader_{name}"),
            }
        if DENOISER in methods:
            run = self.translator(site, DENOISER, folder / f"run_{DENOISER}")
            parts = {"readable": (made["generated"], []), "reader": (site, ["--split", "test"])}
            rows[DENOISER] = {}
            for name, (images, words) in parts.items():
                clean = translated(run, images, folder / f"clean_{name}")
                rows[DENOISER][name] = self.evaluated("captcha", clean, words, Path(f"{clean}.json"), known(site))
        return rows

    def generate(self, site: Path, folder: Path) -> None:
        """Writes generated images in random styles, with the characters and lengths of the site."""
        rng, rows = np.random.default_rng(1), []
        texts = variety.Texts(*texts_of(site))
        folder.mkdir(parents=True, exist_ok=True)  # it may have been stopped
        for number in range(self.images):
            image, text = variety.draw(texts, rng)
            image.save(folder / f"{number:06}.png")
            rows.append(Sample("", str(folder / f"{number:06}.png"), text.lower()))
        tables.write(folder / tables.LABELS, rows)

    def translator(self, site: Path, method: str, run: Path) -> Path:
        characters, (least, most) = texts_of(site)
        done = run.with_suffix(".done")
        if not done.is_file():
            resume = ["--resume"] if (run / "config.yaml").is_file() else []
            seqclr("pretrain", "--method", method, "--data", site, "--output", run, "--steps", self.steps, *resume,
                   "encoder=fast", f"characters={characters}", f"length={least}:{most}", *self.keys)  # fmt: skip
            done.touch()
        return run

    def distance(self, site: Path, images: Path, split: str | None, file: Path) -> float:
        return cached(file, lambda: frechet(features(site, "test"), features(images, split)))

    def reader(self, site: Path, images: Path, run: Path) -> float:
        """The exact match on the site's test images of a reader trained on images."""
        done = run.with_suffix(".json")
        if not done.is_file():
            resume = ["--resume"] if (run / "config.yaml").is_file() else []
            seqclr("finetune", "--data", images, "--output", run, "--steps", self.reader_steps, *resume,
                   "--pretrained", "captcha", "case=lower", "views=strong", "learning_rate=0.001",
                   "batch_size=32")  # fmt: skip
        return self.evaluated(run, site, ["--split", "test"], done, known(site))

    def evaluated(self, model: object, images: Path, words: list[str], file: Path, texts: list[str]) -> float:
        if not file.is_file():
            seqclr("evaluate", "--model", model, "--data", images, *words, *texts, "--json", file)
        return json.loads(file.read_text())["exact_match"]


def texts_of(site: Path) -> tuple[str, tuple[int, int]]:
    """The characters of a site's train rows, and the least and largest length."""
    with open(site / "labels.csv", newline="", encoding="utf-8") as stream:
        texts = [row["text"].lower() for row in csv.DictReader(stream) if row["split"] == "train"]
    return "".join(sorted(set("".join(texts)))), (min(map(len, texts)), max(map(len, texts)))


def features(images: Path, split: str | None) -> np.ndarray:
    """The mean frame of each image by the released reader, `float32 [N, D]`."""
    from seqclr.api import load_encoder
    from seqclr.probes.base import means_of

    dataset = ImageDataset(find([images], split), **SIZE, resize="stretch")
    try:
        return means_of(load_encoder("captcha"), dataset, "transformer")
    finally:
        dataset.close()


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """The distance of two normal distributions with the means and covariances of features `[N, D]`."""
    (mean, cov), (other_mean, other_cov) = ((x.mean(0), np.cov(x, rowvar=False)) for x in (first, second))
    root = np.real(sqrtm(cov @ other_cov))
    return float(np.sum((mean - other_mean) ** 2) + np.trace(cov + other_cov - 2 * root))


def cached(file: Path, compute: Callable[[], float]) -> float:
    if not file.is_file():
        file.write_text(json.dumps(compute()))
    return json.loads(file.read_text())


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made where its table, which is written last, is missing."""
    if not (folder / tables.LABELS).is_file():
        make(folder)
    return folder


def translated(run: Path, images: Path, folder: Path) -> Path:
    """Images translated by a run, with their texts and splits."""
    return once(folder, lambda new: seqclr("translate", images, "--model", run, "--output", new, "--preview",
                                           f"{new}.png"))  # fmt: skip


def table(results: dict[str, dict]) -> str:
    """Markdown: a row per kind of images and site, and the means."""
    lines = ["| images | site | distance | readable | reader |", "|---|---|---|---|---|"]
    for kind in dict.fromkeys(kind for rows in results.values() for kind in rows):
        cells = {site: rows[kind] for site, rows in results.items() if kind in rows}
        mean = {name: statistics.mean(row[name] for row in cells.values()) for name in next(iter(cells.values()))}
        for site, row in [*cells.items(), *([("mean", mean)] if len(cells) > 1 else [])]:
            shown = [f"{row[name]:.3f}" if name in row else "" for name in METRICS]
            lines.append(f"| {kind} | {site} | {' | '.join(shown)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sites", nargs="+", help="by default all cap_*")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--steps", type=int, default=2000, help="of a translation's training")
    parser.add_argument("--images", type=int, default=2000, help="generated and translated")
    parser.add_argument("--reader-steps", type=int, default=1000)
    args, keys = parser.parse_known_args()
    sites = sites_of(args.data, args.sites)
    settings = {"steps": args.steps, "images": args.images, "reader_steps": args.reader_steps, "keys": keys}
    keep_settings(args.output, settings)
    benchmark, results = Benchmark(args.output, **settings), {}
    for site in sites:
        results[site.name] = benchmark.rows(site, args.methods)
        write(args.output, table(results), f"One seed, {settings}.", results)
    print(table(results), circumstances(), sep="\n\n")


if __name__ == "__main__":
    main()
