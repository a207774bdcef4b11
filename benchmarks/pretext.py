"""The pretext tasks: the accuracy or error of each task, and a probe of the trained encoder.

    python benchmarks/pretext.py --data DATA --output runs/pretext

DATA holds `img_cifar10` and `img_mnist`, images with a class as `text`, and captcha sites `cap_lzu` and `cap_zf_old`,
each with `labels.csv` (file,text,split). Every task is trained for --steps batches on CIFAR-10 (slow ones for
twice as many), and, if it supports lines, on the two sites together. The figure of a task is the mean of the last round
on training examples: accuracy beside chance accuracy, or error beside that of the trivial predictor that the method's
docstring names. Beside it is the accuracy of a linear probe (lines: CTC probe) of the frozen encoder, and of one with
random weights. Tasks of order are trained on sequences of moving digits, made from MNIST, and context prediction on
digits, because in patches of such small photographs hardly anything but the edges shows their position. With --size 64,
photographs are enlarged, and it is trained on them. Finished parts are kept: the same command continues, with another
--output for another size. Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from commands import keep_settings, write
from PIL import Image
from runs import pretrained, probe

from seqclr.data import images
from seqclr.data.discovery import find

IMAGES, DIGITS, SITES = "img_cifar10", "img_mnist", ("cap_lzu", "cap_zf_old")
MOVING = "moving_digits"
IMAGE_KEYS = {"encoder": "resnet9", "views": "none", "batch_size": 64}
LARGE = 64  # pixels from which photographs have context to predict
LINE_KEYS = {"encoder": "tiny", "views": "article", "batch_size": 64}
SEQUENCES, FRAMES = 1000, 12


class Task(NamedTuple):
    """A pretext task.

    images, lines: keys of the task; None where it does not support such data. chance: chance accuracy on images and on
    lines; None for a task with an error and a trivial predictor. data: its images. slow: twice the steps.
    """

    images: dict | None = {}
    lines: dict | None = {}
    chance: tuple[float, float] | None = None
    data: str = IMAGES
    slow: bool = False


TASKS = {
    "rotation": Task(chance=(1 / 4, 1 / 2)),
    "context_prediction": Task(chance=(1 / 8, 1 / 4), data=DIGITS),
    "jigsaw": Task({"grid": 2}, chance=(1 / 24, 1 / 24)),
    "counting": Task(chance=(1 / 2, 1 / 2)),
    "colorization": Task({"uniform": 1.0}, None),  # without class rebalancing: accurate rather than vivid
    "split_brain": Task(lines=None),
    "autoencoder": Task(),
    "denoising": Task(),
    "inpainting": Task(),
    "super_resolution": Task(),
    "mae": Task({"encoder": "vit_tiny"}, None, slow=True),
    "masked": Task(None),
    "order_verification": Task(chance=(1 / 2, 1 / 2), data=MOVING),
    "odd_one_out": Task(chance=(1 / 6, 1 / 6), data=MOVING),
}


def moving_digits(data: Path, folder: Path) -> Path:
    """Animations of digits that move in a straight line and grow or shrink, one per file."""
    samples = [sample for sample in find([data / DIGITS]) if sample.split != "test"][:SEQUENCES]
    folder.mkdir(parents=True, exist_ok=True)
    for i, sample in enumerate(samples):
        file = folder / f"{i:04d}.gif"
        if file.is_file():
            continue
        rng = np.random.default_rng(i)
        digit = Image.fromarray(images.decode(sample.read_bytes(), sample.name))
        (x, y, size), step = rng.uniform((0, 0, 14), (18, 18, 22)), rng.uniform(-1.2, 1.2, 3)
        frames = []
        for t in range(FRAMES):
            side = int(np.clip(size + step[2] * t, 8, 32))
            frame = Image.new("RGB", (32, 32))
            frame.paste(digit.resize((side, side)), (round(x + step[0] * t), round(y + step[1] * t)))
            frames.append(frame)
        frames[0].save(file, save_all=True, append_images=frames[1:])
    return folder


def measure(name: str, what: str, data: Path, output: Path, steps: int, size: int) -> dict | None:
    """The row of a task on `images` of a size or `lines`; None where it does not support such data."""
    task, on_images = TASKS[name], what == "images"
    if task.data == DIGITS and size >= LARGE:
        task = task._replace(data=IMAGES)
    image_keys = {**IMAGE_KEYS, "height": size, "width": size}
    own, common = (task.images, image_keys) if on_images else (task.lines, LINE_KEYS)
    if own is None:
        return None
    keys, run, steps = {**common, **own}, output / what / name, 2 * steps if task.slow else steps
    labelled = [data / name for name in ((IMAGES if task.data == IMAGES else DIGITS,) if on_images else SITES)]
    paths = [moving_digits(data, output / MOVING)] if on_images and task.data == MOVING else labelled
    result = pretrained(name, run, paths, steps, keys)
    if result is None:
        sys.exit(f"pretext: {name} refuses {what}")
    kind = "linear" if on_images else "ctc"
    config = yaml.safe_load((run / "config.yaml").read_text())
    new = output / what / f"untrained-{labelled[0].name}-{config['encoder']}-{config['height']}.json"
    figure = {
        name: float(result["last"][name]) for name in ("accuracy", "error", "trivial_error") if name in result["last"]
    }
    return {
        **figure,
        "probe": probe(run, kind, labelled, output / what / f"{name}-probe.json"),
        "untrained": probe(run, kind, labelled, new, "--untrained"),
        "images_per_second": result["images_per_second"],
    }


def finished(name: str, what: str, data: Path, output: Path, steps: int, size: int) -> dict | None:
    """The row of `measure`, which is kept."""
    done = output / what / f"{name}.json"
    if not done.is_file():
        done.parent.mkdir(parents=True, exist_ok=True)
        try:
            row = measure(name, what, data, output, steps, size)
        except subprocess.CalledProcessError as error:
            sys.exit(f"pretext: {name}: {error}")
        done.write_text(json.dumps(row, indent=1))
    return json.loads(done.read_text())


def table(rows: dict[str, dict]) -> str:
    head = ["task", "data", "task figure", "chance or trivial", "probe", "random weights", "images/s"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for key, row in rows.items():
        name, what = key.split(" on ")
        chance = TASKS[name].chance
        if chance:
            done, trivial = f"accuracy {row['accuracy']:.3f}", f"{chance[what == 'lines']:.3f}"
        else:
            done, trivial = f"error {row['error']:.4g}", f"{row['trivial_error']:.4g}"
        probes = [f"{row[figure]:.3f}" for figure in ("probe", "untrained")]
        cells = [f"`{name}`", what, done, trivial, *probes, f"{row['images_per_second']:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--on", nargs="+", default=["images", "lines"], choices=["images", "lines"])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--size", type=int, default=32, help="height and width of images, in pixels")
    args = parser.parse_args()
    keep_settings(args.output, {"steps": args.steps, "size": args.size})
    missing = [name for name in (IMAGES, DIGITS, *SITES) if not (args.data / name).is_dir()]
    if missing:
        parser.error(f"{args.data} holds no folder {missing[0]}")
    rows = {}
    for what in args.on:
        for name in args.tasks:
            row = finished(name, what, args.data, args.output, args.steps, args.size)
            if row is not None:
                rows[f"{name} on {what}"] = row
                print(table(rows), flush=True)
    foot = f"{args.steps} steps of 64, images {IMAGES} of {args.size} pixels, lines {' and '.join(SITES)}."
    write(args.output, table(rows), foot, rows)


if __name__ == "__main__":
    main()
