"""From unlabelled images to an exported reader in Python, on data_samples/.

    python examples/quickstart_api.py [--steps 20]

With more steps the reader is better; 500 steps of each take about a quarter of an hour on two cores. Each call writes
new folders in runs/.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import seqclr

SAMPLES = Path(__file__).resolve().parent.parent / "data_samples"


def quickstart(steps: int) -> None:
    run = seqclr.pretrain(SAMPLES, method="simclr", steps=steps)
    print(f"pretrained: {run.folder}, loss {run.figures['loss']:.3f}")

    encoder = run.encoder()
    features, _ = encoder(np.zeros((1, encoder.height, encoder.width, 3), np.uint8))
    encoder.save(run.folder / "encoder.keras")
    print(f"encoder: frames and feature size {features.shape[1:]}")

    reader = seqclr.finetune(SAMPLES, pretrained=run, steps=steps)
    file = sorted((SAMPLES / "images").iterdir())[0]
    image = Image.open(file)
    for text, confidence, accept in reader.predict([file, file.read_bytes(), image, np.asarray(image)]):
        print(f"predicted: '{text}', confidence {confidence:.3f}, {'accepted' if accept else 'refused'}")

    figures = reader.evaluate(SAMPLES, split="test")
    print(f"test: edit-distance accuracy {figures['edit_distance_accuracy']:.3f} on {figures['samples']} images")
    export = reader.export(reader.folder / "export")
    print(f"export: {export}, loaded again: {seqclr.load(export).predict([file])[0]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    quickstart(parser.parse_args().steps)
