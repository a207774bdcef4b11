"""SimCLR and SimSiam in the proportion of the OCR article: twenty images without a label to each labelled one.

    pip install ".[bench]"
    python benchmarks/article.py --output runs/article

The generator's eight styles are the sites: together --images captchas without labels, --labels with labels, and as many
to test on. One reader for all is fine-tuned, of the same network and with the same views and steps, after:

    scratch                           no pretraining
    scratch_total_time                no pretraining, and as many steps as take the time of simclr with its pretraining
    simclr, simsiam                   pretraining with the recommended settings
    article_simclr, article_simsiam   pretraining with the article's own settings

Each arm's learning rate is the best of --rates on a tenth of the labels of the first seed. The article's figures
(edit-distance accuracy, from scratch 0.9081, SimSiam 0.9541, SimCLR 0.957) are errors of 0.50 and 0.47 relative to from
scratch. Finished parts are kept: the same command continues. Writes table.md, results.json and accuracy.png.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import yaml
from commands import keep_settings, seqclr
from label_efficiency import ARMS, Benchmark, run

from seqclr.config import load_config
from seqclr.synthesis.styles import style_names

BATCH = 128
PRETRAINED = ("simclr", "simsiam", "article_simclr", "article_simsiam")


def generate(style: str, folder: Path, images: int, labels: int) -> None:
    """Generates the site of a style, unless it is there."""
    if folder.is_dir():
        return
    partial = folder.with_name(f".{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)  # of an interrupted run
    seqclr("synth", "--output", partial, "--style", style, "--count", 2 * labels, "--test", labels,
           "--unlabelled", images)  # fmt: skip
    partial.rename(folder)


def arms(steps: int, finetune: dict) -> dict[str, dict]:
    """The arms as of label_efficiency.py; steps: of pretraining."""
    result = {"scratch": {}, "scratch_total_time": {"time_of": "simclr"}}
    for name in PRETRAINED:
        if name.startswith("article_"):
            keys = {**load_config(name), "learning_rate": 0.001}
            del keys["epochs"]
        else:
            keys = yaml.safe_load((ARMS / f"{name}.yaml").read_text())["pretrain"]
        result[name] = {"pretrain": {**keys, "batch_size": BATCH, "steps": steps}}
    return {name: {**arm, "finetune": finetune} for name, arm in result.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--images", type=int, default=80000, help="images without labels, of all styles")
    parser.add_argument("--labels", type=int, default=4000, help="labelled images, of all styles")
    parser.add_argument("--epochs", type=int, default=20, help="passes of pretraining over all images")
    parser.add_argument("--steps", type=int, default=2500, help="steps of fine-tuning")
    parser.add_argument("--rates", nargs="+", type=float, default=[0.001, 0.002, 0.004])
    parser.add_argument("--arms", nargs="+", metavar="ARM", choices=arms(0, {}), default=list(arms(0, {})))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    args = parser.parse_args()
    styles = style_names()
    images, labels = args.images // len(styles), args.labels // len(styles)
    if images < 1 or labels < 2 or args.epochs < 1 or args.steps < 1:
        parser.error(f"images {args.images}, labels {args.labels}, epochs {args.epochs}, steps {args.steps}: at least "
                     f"{len(styles)} images, {2 * len(styles)} labels, an epoch and a step")  # fmt: skip
    shared = ("images", "labels", "epochs", "steps", "rates")
    keep_settings(args.output, {name: getattr(args, name) for name in shared})
    sites = [args.output / "data" / f"cap_{style}" for style in styles]
    for style, site in zip(styles, sites):
        generate(style, site, images, labels)
    finetune = {"views": "strong", "steps": args.steps, "learning_rate": args.rates}
    if len(args.rates) == 1:
        finetune["learning_rate"] = args.rates[0]
    steps = max(1, args.epochs * len(styles) * (images + labels) // BATCH)
    run(Benchmark(sites, sites, args.output, arms(steps, finetune), labels), args.arms, [labels], args.seeds)


if __name__ == "__main__":
    main()
