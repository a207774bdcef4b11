"""A reader for the images in data_samples/: without labels, then with 20, exported; and a short SimCLR pretraining.

    python tools/quickstart.py [--output runs/quickstart]

The reader of the package predicts the test images, is adapted to the images without labels, and then with 20 labels;
each is evaluated on the test split. The last one is exported, and predicts some images with the export. A SimCLR
pretraining of few steps shows what self-supervision looks like. It takes about three minutes on 2 cores. Every command
is printed and can be run by hand.
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
CHARACTERS, LENGTH = "234678abcdehkmnprtuvwxy", "4:5"  # of the samples, as one sees at a glance
STEPS, LABELS, SIMCLR_STEPS = 80, 20, 40


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
    known = ["--charset", CHARACTERS, "--length", LENGTH]
    few = ["--steps", STEPS, "relabellings=2", "test_time_augmentations=2"]  # predicting all images is slow
    common = ["--data", SAMPLES, *known, *few]
    unlabelled, labelled = output / "adapted", output / "adapted_20"
    scores, minutes = {}, {}

    def evaluate(name: str, *words: object) -> None:
        figures = output / f"{name}.json"
        verb("evaluate", *words, "--data", SAMPLES, "--split", "test", "--json", figures, "--plots",
             output / f"{name}_test")  # fmt: skip
        scores[name], minutes[name] = json.loads(figures.read_text()), (time.perf_counter() - start) / 60

    evaluate("captcha", "--model", "captcha", *known)
    verb("adapt", "--model", "captcha", *common, "--labels", 0, "--output", unlabelled)
    evaluate("adapted", "--model", unlabelled)
    verb("adapt", "--model", unlabelled, *common, "--labels", LABELS, "--output", labelled)
    evaluate("adapted_20", "--model", labelled)
    verb("export", "--model", labelled, "--output", output / "export")
    verb("predict", "--model", output / "export", *sorted((SAMPLES / "unlabelled").iterdir())[:6])
    verb("show-views", "--data", SAMPLES, "--views", "roaming", "--output", output / "views.png")
    verb("pretrain", "--method", "simclr", "--data", SAMPLES, "--output", output / "simclr", "--steps", SIMCLR_STEPS)

    print("\nTest split of data_samples:\n")
    print("                              edit-distance accuracy   exact match   minutes so far")
    names = {"captcha": "the reader as it is", "adapted": "adapted, no labels",
             "adapted_20": f"adapted, {LABELS} labels"}  # fmt: skip
    for name, title in names.items():
        row = scores[name]
        print(f"{title:29} {row['edit_distance_accuracy']:>22.4f} {row['exact_match']:>13.4f} {minutes[name]:>16.1f}")
    print(f"\n{(time.perf_counter() - start) / 60:.1f} minutes. Figures:")
    for figure in sorted(output.rglob("*.png")):
        print(f"  {figure}")
    print(f"Exported model: {output / 'export'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/quickstart"))
    quickstart(parser.parse_args().output)
