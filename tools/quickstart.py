"""From images without labels to an exported recognizer, on data_samples/.

    python tools/quickstart.py [--output runs/quickstart]

It pretrains an encoder on the images without their labels, with configs/captcha.yaml but fewer steps, and fine-tunes it
on 50 labels. It trains the same network from scratch on the same labels for as many steps, evaluates both on the test
split, exports the first, and predicts some images with the export. It takes about ten minutes on 2 cores.
Every command is printed and can be run by hand.
"""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

from seqclr.cli import main

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "data_samples"
PRETRAIN_STEPS, FINETUNE_STEPS, LABELS = 500, 400, 50


def verb(*words: object) -> None:
    """Prints and runs a command; ends the program where it fails."""
    words = [str(word) for word in words]
    print(f"\n$ seqclr {shlex.join(words)}", flush=True)
    status = main(words)
    if status:
        sys.exit(status)


def quickstart(output: Path) -> None:
    start = time.perf_counter()
    if output.exists():
        sys.exit(f"quickstart: {output} exists already: remove it or choose another --output")
    output.mkdir(parents=True)
    verb("show-views", "--data", SAMPLES, "--views", "roaming", "--output", output / "views.png")
    pretrained = output / "pretrained"
    verb("pretrain", "--config", "captcha", "--data", SAMPLES, "--output", pretrained, "--steps", PRETRAIN_STEPS)
    common = ["--data", SAMPLES, "--split", "train", "--labels", LABELS, "--steps", FINETUNE_STEPS]
    low_rate = ["--learning-rate", 0.001]  # a higher rate loses the pretrained features
    verb("finetune", *common, *low_rate, "--pretrained", pretrained, "--output", output / "finetuned")
    verb("finetune", *common, "--output", output / "scratch")
    scores = {}
    for name in ("finetuned", "scratch"):
        figures = output / f"{name}.json"
        verb("evaluate", "--model", output / name, "--data", SAMPLES, "--split", "test", "--json", figures,
             "--plots", output / f"{name}_test")  # fmt: skip
        scores[name] = json.loads(figures.read_text())
    verb("export", "--model", output / "finetuned", "--output", output / "export")
    verb("predict", "--model", output / "export", *sorted((SAMPLES / "unlabelled").iterdir())[:6])

    print(f"\nTest split of data_samples, {LABELS} labels, {FINETUNE_STEPS} fine-tuning steps each:\n")
    print("                                   edit-distance accuracy   exact match")
    names = {"scratch": "from scratch", "finetuned": f"pretrained ({PRETRAIN_STEPS} steps)"}
    for name, title in names.items():
        print(f"{title:34} {scores[name]['edit_distance_accuracy']:>22.4f} {scores[name]['exact_match']:>13.4f}")
    print(f"\n{(time.perf_counter() - start) / 60:.1f} minutes. Figures:")
    for figure in sorted(output.rglob("*.png")):
        print(f"  {figure}")
    print(f"Exported model: {output / 'export'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/quickstart"))
    quickstart(parser.parse_args().output)
