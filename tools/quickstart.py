"""The main job on data_samples/, from images without labels to a model that reads them.

    python tools/quickstart.py [--output runs/quickstart]

It pretrains on the pages without their labels, as configs/captcha.yaml says, but for a short time; fine-tunes
that encoder on 50 labels, trains the same network on the same labels from scratch for as many steps, evaluates both on
the sample's test part, exports the first and reads some pages with the export. Some minutes on 2 cores; every command
that it runs is printed and can be run by hand.
"""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

from seqclr.cli.main import main

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
    gently = ["--learning-rate", 0.001]  # or it forgets what it was pretrained for
    verb("finetune", *common, *gently, "--pretrained", pretrained, "--output", output / "finetuned")
    verb("finetune", *common, "--output", output / "scratch")
    scores = {}
    for name in ("finetuned", "scratch"):
        figures = output / f"{name}.json"
        verb("evaluate", "--model", output / name, "--data", SAMPLES, "--split", "test", "--json", figures,
             "--plots", output / f"{name}_test")  # fmt: skip
        scores[name] = json.loads(figures.read_text())
    verb("export", "--model", output / "finetuned", "--output", output / "export")
    verb("predict", "--model", output / "export", *sorted((SAMPLES / "unlabelled").iterdir())[:6])

    print(f"\nTest part of data_samples, {LABELS} labels, {FINETUNE_STEPS} steps of fine-tuning each:\n")
    print("                                   edit-distance accuracy   exact match")
    names = {"scratch": "from scratch", "finetuned": f"pretrained ({PRETRAIN_STEPS} steps)"}
    for name, title in names.items():
        print(f"{title:34} {scores[name]['edit_distance_accuracy']:>22.4f} {scores[name]['exact_match']:>13.4f}")
    print(f"\n{(time.perf_counter() - start) / 60:.1f} minutes. Pictures to look at:")
    for picture in sorted(output.rglob("*.png")):
        print(f"  {picture}")
    print(f"The model: {output / 'export'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/quickstart"))
    quickstart(parser.parse_args().output)
