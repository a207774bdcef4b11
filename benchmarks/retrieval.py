"""Retrieval by CLIP: texts of images that it was not trained on, and what its encoder is worth to a reader.

    python benchmarks/retrieval.py --data SITE --target OTHER --output runs/retrieval

SITE and OTHER are folders with `labels.csv` (file,text,split), of lines or, without --target, of classes. `clip` is
trained on the train rows of SITE. Figures: recall at 1 and 5 of the text of each test image, among 1,000 texts or as
many as there are: those of the test rows, filled up with those of the train rows. With --target, readers are fine-tuned
on --labels labels of OTHER, from that encoder and from scratch, with the same steps, and evaluated on its test rows.
Words such as `encoder=resnet9` are keys of the pretraining. Finished parts are kept: the same command continues. Writes
table.md and results.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from commands import keep_settings, seqclr, write
from runs import pretrained

from seqclr.config import load_yaml
from seqclr.data.charset import normalize
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find
from seqclr.data.loader import InOrder
from seqclr.recognition.matching import Matcher

TEXTS, BATCH = 1000, 64


def recall(run: Path, site: Path) -> dict[str, float]:
    """The figures of retrieval, and the number of images and of texts."""
    matcher, samples = Matcher.load(run), find([site], "test")
    own = [normalize(sample.text or "", "keep") for sample in samples]
    others = [normalize(sample.text or "", "keep") for sample in find([site], "train")]
    texts = list(dict.fromkeys([*own, *others]))[: max(TEXTS, len(set(own)))]
    words = matcher.text_vectors(texts).numpy()
    dataset = ImageDataset(samples, matcher.height, matcher.width, matcher.resize)
    parts = (matcher.image_vectors(batch["image"], batch.get("width")) for batch in InOrder(dataset, BATCH))
    cosines = np.concatenate([part.numpy() for part in parts]) @ words.T
    found = cosines[np.arange(len(own)), [texts.index(text) for text in own]]
    better = (cosines >= found[:, None]).sum(1) - 1  # a text that is as near counts as nearer
    dataset.close()
    recalls = {f"recall_at_{k}": float((better < k).mean()) for k in (1, 5)}
    return {**recalls, "images": len(own), "texts": len(texts)}


def reader(folder: Path, target: Path, labels: int, steps: int, *more: object) -> dict[str, float]:
    """Accuracy of a reader on the test rows of the target."""
    scores = folder.with_suffix(".json")
    if not scores.is_file():
        resume = ["--resume"] if (folder / "config.yaml").is_file() else []
        rows = ["--data", target, "--split", "train", "--labels", labels, "--steps", steps]
        seqclr("finetune", *rows, "--output", folder, "views=strong", "batch_size=32", *more, *resume)
        seqclr("evaluate", "--model", folder, "--data", target, "--split", "test", "--json", scores)
    figures = json.loads(scores.read_text())
    return {name: figures[name] for name in ("edit_distance_accuracy", "exact_match")}


def table(results: dict) -> str:
    found = results["retrieval"]
    lines = [
        "| images | texts | recall at 1 | recall at 5 |",
        "|---|---|---|---|",
        f"| {found['images']} | {found['texts']} | {found['recall_at_1']:.3f} | {found['recall_at_5']:.3f} |",
    ]
    if "readers" in results:
        lines += ["", "| reader | edit-distance accuracy | exact match |", "|---|---|---|"]
        for name, row in results["readers"].items():
            lines.append(f"| {name} | {row['edit_distance_accuracy']:.3f} | {row['exact_match']:.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="SITE")
    parser.add_argument("--target", type=Path, metavar="OTHER")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1000, help="of pretraining")
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--finetune-steps", type=int, default=1000)
    parser.add_argument("keys", nargs="*", metavar="KEY=VALUE")
    args = parser.parse_args()
    for site in filter(None, (args.data, args.target)):
        if not (site / "labels.csv").is_file():
            parser.error(f"{site} holds no labels.csv")
    keep_settings(args.output, {name: str(value) for name, value in vars(args).items() if name != "output"})
    run, keys = args.output / "clip", dict(word.split("=", 1) for word in args.keys)
    if pretrained("clip", run, [args.data], args.steps, {"batch_size": BATCH, "split": "train", **keys}) is None:
        parser.error(f"clip refuses {args.data}")
    results = {"retrieval": recall(run, args.data)}
    print(table(results), flush=True)
    if args.target:
        size = args.target, args.labels, args.finetune_steps
        same = [
            word for word in args.keys if word.split("=")[0] in ("encoder", "height", "width", "resize", "positions")
        ]
        results["readers"] = {
            "from scratch": reader(args.output / "scratch", *size, *same),
            "from clip": reader(args.output / "from_clip", *size, "--pretrained", run),
        }
    foot = f"{args.data.name}: {args.steps} steps of {load_yaml(run / 'config.yaml')['batch_size']}."
    if args.target:
        foot += f" Readers: {args.labels} labels of {args.target.name}, {args.finetune_steps} steps of 32, one seed."
    write(args.output, table(results), foot, results)
    print(table(results))


if __name__ == "__main__":
    main()
