"""Encoders compared: time of an image in training and in prediction, and accuracy with 100 labels a site and without.

    python benchmarks/networks.py --data DATA --output runs/networks --encoders tiny fast --seeds 3

DATA holds a folder per site, `cap_*`, with `labels.csv` (file,text,split). Each encoder is pretrained on equally many
generated images (configs/reader.yaml with --steps), evaluated on the test rows of all sites with their known
characters and lengths, fine-tuned for all sites together on 100 labels of each, and evaluated again. Times are of one
thread, as ratios to the first encoder, in alternation. Finished parts are kept: the same command continues. Writes
table.md and results.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from commands import seqclr, sites_and_pool, write
from new_sites import known

ROUNDS, BATCH = 5, 96
TIMED = f"""
import sys, time
import keras, numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
from seqclr.nn.encoders import build_encoder
encoder, images = build_encoder(sys.argv[1], 32, 128, "convolutional"), np.zeros(({BATCH}, 32, 128, 3), np.uint8)

@tf.function
def train():
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(encoder(images, training=True)[0])
    return tape.gradient(loss, encoder.trainable_variables)

@tf.function
def predict():
    return encoder(images, training=False)[0]

for step in (train, predict):
    step()
    start = time.perf_counter()
    for _ in range(10):
        step()
    print((time.perf_counter() - start) / 10 / {BATCH} * 1000)
"""


def timed(encoders: list[str]) -> dict[str, list[float]]:
    """Milliseconds of an image in training and in prediction: medians over rounds in which the encoders alternate."""
    rows: dict[str, list[list[float]]] = {name: [] for name in encoders}
    for _ in range(ROUNDS):
        for name in encoders:
            done = subprocess.run([sys.executable, "-c", TIMED, name], capture_output=True, text=True, check=True)
            rows[name].append([float(line) for line in done.stdout.split()])
    return {name: [statistics.median(column) for column in zip(*times)] for name, times in rows.items()}


def measure(encoder: str, seed: int, steps: int, sites: list[Path], folder: Path, size: Path) -> dict:
    """Exact match and edit-distance accuracy, means over the sites, without labels and with 100 a site."""
    run = folder / "pretrained"

    def train(verb: str, run: Path, *words: object) -> None:
        resume = ["--resume"] if (run / "config.yaml").is_file() else []
        seqclr(verb, *words, "--output", run, f"seed={seed}", *resume)

    def evaluated(run: Path, name: str) -> dict:
        rows = []
        for site in sites:
            file = folder / f"{name}_{site.name}.json"
            seqclr("evaluate", "--model", run, "--data", site, "--split", "test", "--json", file, *known(site))
            rows.append(json.loads(file.read_text()))
        return {key: statistics.mean(row[key] for row in rows) for key in ("edit_distance_accuracy", "exact_match")}

    train("pretrain", run, "--config", "reader", "--data", size, f"encoder={encoder}", f"steps={steps}",
          "distinct_images=20000")  # fmt: skip
    train("finetune", folder / "finetuned", "--pretrained", run, "--data", *sites, "--split", "train", "--labels", 100,
          "views=strong", "learning_rate=0.001", "steps=1000", "case=lower")  # fmt: skip
    return {"0": evaluated(run, "0"), "100": evaluated(folder / "finetuned", "100")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--encoders", nargs="+", default=["tiny", "fast"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4000)
    args = parser.parse_args()
    sites, _ = sites_and_pool(args.data)
    args.output.mkdir(parents=True, exist_ok=True)
    size = args.output / "size"  # the images of the pretraining give only the size
    if not (size / "labels.csv").is_file():
        seqclr("synth", "--output", size, "--count", 960)
    results: dict = {"milliseconds": timed(args.encoders)}
    base = results["milliseconds"][args.encoders[0]]
    lines = ["| encoder | training | prediction | no labels | 100 labels |", "|---|---|---|---|---|"]
    start = time.perf_counter()
    for encoder in args.encoders:
        rows = []
        for seed in range(args.seeds):
            folder = args.output / f"{encoder}_{seed}"
            done = folder / "result.json"
            if not done.is_file():
                figures = measure(encoder, seed, args.steps, sites, folder, size)
                done.write_text(json.dumps(figures, indent=1))
            rows.append(json.loads(done.read_text()))
        results[encoder] = rows
        ratios = [f"{own / first:.2f}" for own, first in zip(results["milliseconds"][encoder], base)]
        cells = [spread([row[labels] for row in rows]) for labels in ("0", "100")]
        lines.append(f"| {' | '.join([encoder, *ratios, *cells])} |")
        foot = f"Exact match, mean over {len(sites)} sites and {args.seeds} seeds ± standard deviation."
        write(args.output, "\n".join(lines), foot, results)
    print("\n".join(lines), f"{(time.perf_counter() - start) / 60:.0f} minutes", sep="\n")


def spread(rows: list[dict]) -> str:
    values = [row["exact_match"] for row in rows]
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values) if len(values) > 1 else 0:.3f}"


if __name__ == "__main__":
    main()
