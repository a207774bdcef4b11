"""The reader of the package, adapted to a folder of images in Python, on data_samples/.

    python examples/adapt_api.py [--steps 20] [--labels 20]

With more steps the reader is better; 600 steps take about three minutes on one core. The call writes a new folder in
runs/.
"""

import argparse
from pathlib import Path

import seqclr

SAMPLES = Path(__file__).resolve().parent.parent / "data_samples"
CHARACTERS, LENGTH = "234678abcdehkmnprtuvwxy", "4:5"  # of the images, as one sees at a glance


def adapt(steps: int, labels: int) -> None:
    # images alone are enough; labels.csv of the folder has texts, and the rows of split test are left out
    reader = seqclr.adapt(SAMPLES, charset=CHARACTERS, length=LENGTH, labels=labels, steps=steps)
    print(f"adapted: {reader.folder}, expected exact match {reader.figures['estimated_exact_match']:.2f}")

    files = sorted((SAMPLES / "unlabelled").iterdir())[:4]
    for file, prediction in zip(files, reader.predict(files), strict=True):
        print(f"{file.name}: '{prediction.text}', confidence {prediction.confidence:.3f}")

    for name, each in (("captcha", seqclr.load("captcha")), ("adapted", reader)):
        figures = each.evaluate(SAMPLES, split="test", charset=CHARACTERS, length=LENGTH)
        print(f"{name}: exact match {figures['exact_match']:.3f} on {figures['samples']} test images")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--labels", type=int, default=20, help="how many of the labels to use; 0: none")
    given = parser.parse_args()
    adapt(given.steps, given.labels)
