"""The pretext tasks: how well each is solved, and what is learnt by it.

    python benchmarks/pretext.py --data DATA --output runs/pretext

DATA holds `img_cifar10` and `img_mnist`, images with a class as `text`, and captcha sites `cap_lzu` and `cap_zf_old`,
each with `labels.csv` (file,text,split). Every task is trained for --steps batches on CIFAR-10 (one that
learns slowly for twice as many), and where it has a form for lines on the two sites together. The figure of a task is
the mean of the last round, on examples as they come: accuracy against that of guessing, or error against that of the
trivial predictor that the method's docstring names. Beside it stands what a linear probe (lines: a CTC head) reads in
the frozen encoder, and in one of new weights. Tasks of order see sequences of digits that move, made of MNIST, and
context prediction sees digits, as in patches of so small photographs little but the edges tells their place. What is
done is kept: the same command goes on. Writes table.md and results.json.
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
from commands import write
from PIL import Image
from runs import pretrained, probe

from seqclr.data import images
from seqclr.data.discovery import find

IMAGES, DIGITS, SITES = "img_cifar10", "img_mnist", ("cap_lzu", "cap_zf_old")
MOVING = "moving_digits"
PICTURES = {"encoder": "resnet9", "height": 32, "width": 32, "views": "none", "batch_size": 64}
LINES = {"encoder": "tiny", "views": "article", "batch_size": 64}
SEQUENCES, FRAMES = 1000, 12


class Task(NamedTuple):
    """pictures, lines: keys of its own; None where it is not for such. guess: accuracy of guessing on pictures and on
    lines; a task without has an error, and with it that of its trivial predictor. shown: of what its pictures are.
    slow: it gets twice the steps."""

    pictures: dict | None = {}
    lines: dict | None = {}
    guess: tuple[float, float] | None = None
    shown: str = IMAGES
    slow: bool = False


TASKS = {
    "rotation": Task(guess=(1 / 4, 1 / 2)),
    "context_prediction": Task(guess=(1 / 8, 1 / 4), shown=DIGITS),
    "jigsaw": Task({"grid": 2}, guess=(1 / 24, 1 / 24)),
    "counting": Task(guess=(1 / 2, 1 / 2)),
    "colorization": Task({"uniform": 1.0}, None),  # weighed alike, answers are close rather than vivid
    "split_brain": Task(lines=None),
    "autoencoder": Task(),
    "denoising": Task(),
    "inpainting": Task(),
    "super_resolution": Task(),
    "mae": Task({"encoder": "vit_tiny"}, None, slow=True),
    "masked": Task(None),
    "order_verification": Task(guess=(1 / 2, 1 / 2), shown=MOVING),
    "odd_one_out": Task(guess=(1 / 6, 1 / 6), shown=MOVING),
}


def moving_digits(data: Path, folder: Path) -> Path:
    """Animations of digits that move straight on, grow or shrink, one a file."""
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


def measure(name: str, what: str, data: Path, output: Path, steps: int) -> dict | None:
    """The row of a task on `pictures` or `lines`; None where it is not for such."""
    task, pictures = TASKS[name], what == "pictures"
    own, common = (task.pictures, PICTURES) if pictures else (task.lines, LINES)
    if own is None:
        return None
    keys, run, steps = {**common, **own}, output / what / name, 2 * steps if task.slow else steps
    labelled = [data / name for name in ((IMAGES if task.shown == IMAGES else DIGITS,) if pictures else SITES)]
    paths = [moving_digits(data, output / MOVING)] if pictures and task.shown == MOVING else labelled
    seen = pretrained(name, run, paths, steps, keys)
    if seen is None:
        sys.exit(f"pretext: {name} refuses {what}")
    kind = "linear" if pictures else "ctc"
    config = yaml.safe_load((run / "config.yaml").read_text())
    new = output / what / f"untrained-{labelled[0].name}-{config['encoder']}-{config['height']}.json"
    figure = {
        name: float(seen["last"][name]) for name in ("accuracy", "error", "trivial_error") if name in seen["last"]
    }
    return {
        **figure,
        "probe": probe(run, kind, labelled, output / what / f"{name}-probe.json"),
        "untrained": probe(run, kind, labelled, new, "--untrained"),
        "images_per_second": seen["images_per_second"],
    }


def table(rows: dict[str, dict]) -> str:
    head = ["task", "on", "it does", "trivial", "probe", "new weights", "images/s"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for key, row in rows.items():
        name, what = key.split(" on ")
        guess = TASKS[name].guess
        if guess:
            done, trivial = f"accuracy {row['accuracy']:.3f}", f"{guess[what == 'lines']:.3f}"
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
    parser.add_argument("--on", nargs="+", default=["pictures", "lines"], choices=["pictures", "lines"])
    parser.add_argument("--steps", type=int, default=500)
    args = parser.parse_args()
    missing = [name for name in (IMAGES, DIGITS, *SITES) if not (args.data / name).is_dir()]
    if missing:
        parser.error(f"{args.data} holds no folder {missing[0]}")
    rows: dict[str, dict] = {}
    for what in args.on:
        for name in args.tasks:
            done = args.output / what / f"{name}.json"
            if not done.is_file():
                done.parent.mkdir(parents=True, exist_ok=True)
                try:
                    row = measure(name, what, args.data, args.output, args.steps)
                except subprocess.CalledProcessError as error:
                    sys.exit(f"pretext: {name}: {error}")
                done.write_text(json.dumps(row, indent=1))
            row = json.loads(done.read_text())
            if row is not None:
                rows[f"{name} on {what}"] = row
                print(table(rows), flush=True)
    foot = f"{args.steps} steps of 64, pictures {IMAGES}, lines {' and '.join(SITES)}."
    write(args.output, table(rows), foot, rows)


if __name__ == "__main__":
    main()
