"""Trains the reader of the package further on a GPU, with PyTorch; release.py packs the result.

    python benchmarks/release_torch.py --fonts FOLDER --minutes 60 --output runs/gpu
    python benchmarks/release.py --fonts FOLDER --output runs/release --weights runs/gpu/weights.npz

It continues from the weights of the reader in the package, with its keys and characters. All CPU cores draw images,
each once, and several views of each. The GPU keeps the newest views and trains on random ones of these, with a further
small change of scale, place, contrast and noise. The cosine of the learning rate ends with the time; weights.npz and
training.json are written every 20 seconds. Nothing here imports TensorFlow.
"""

import argparse
import functools
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from descent_torch import Descent
from reader_torch import Reader
from workers_torch import Newest, Source

from seqclr import files
from seqclr.data.charset import Charset
from seqclr.errors import UserError
from seqclr.synthesis.styles import read_length
from seqclr.synthesis.variety import Texts
from seqclr.transforms.apply import augment
from seqclr.transforms.generated import GeneratedImages

READER = Path(__file__).parents[1] / "seqclr" / "readers" / "captcha"
VIEWS = 8  # of each image that is drawn
FIRST = 2**40  # the numbers of the images, which those of release.py do not reach
DRAWN = 32  # images of a message from a worker
WARMUP = 0.03  # share of the time with a rising learning rate
CLIP = 1.0  # norm of the gradient
KEPT = 2_000_000  # views on the GPU


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fonts", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    config = yaml.safe_load((READER / "config.yaml").read_text())
    charset = Charset(**json.loads((READER / "charset.json").read_text()))
    try:
        files.check_new(args.output)
        texts = Texts(config["characters"], read_length(config["length"]), args.fonts, config["sums"])
        generated = GeneratedImages("strong", texts, charset, 1, 1)
    except UserError as error:
        parser.error(str(error))
    args.output.mkdir(parents=True)
    shape = (config["height"], config["width"])
    shapes = [((*shape, 3), np.uint8), ((generated.longest,), np.int8)]
    # before CUDA is used, as the workers are forked
    source = Source(functools.partial(draw, generated, *shape), shapes, DRAWN * VIEWS, args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    views = Newest(shapes, KEPT, device)
    while views.filled < 4 * args.batch_size:
        views.add(*source.next())
    train(Training(config, len(charset), device, args.learning_rate), views, source, args)
    source.close()


def draw(generated: GeneratedImages, height: int, width: int, rng: np.random.Generator):
    """Yields the views and the label of `DRAWN` images, those of an image far apart."""
    records = [generated.render(FIRST + int(rng.integers(2**60)), height, width, "stretch") for _ in range(DRAWN)]
    for _ in range(VIEWS):
        for record in records:
            yield augment(generated.views, record, rng), record["label"]


def batch(views: Newest, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random images, changed, `float [B, 3, H, W]` of -1 to 1, and labels `[B, L]`, filled with -1."""
    images, labels = views.rows(torch.randint(views.filled, (size,), device=views.device))
    return changed(images.permute(0, 3, 1, 2).float() / 127.5 - 1), labels.long()


def changed(images: torch.Tensor) -> torch.Tensor:
    """Smaller by up to an eighth, moved within the image, slanted, and with other contrast, channels and noise."""

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.empty(len(images), *shape, device=images.device).uniform_(low, high)

    factor = uniform(1, 1.14, 2)
    matrix = torch.zeros(len(images), 2, 3, device=images.device)
    matrix[:, 0, 0], matrix[:, 1, 1] = factor.T
    matrix[:, 0, 1] = uniform(-0.06, 0.06)  # in half widths for a half height
    matrix[:, :, 2] = (factor - 1) * uniform(-1, 1, 2)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    order = uniform(0, 1, 3).argsort(1)
    images = images.gather(1, order[:, :, None, None].expand_as(images))
    images = images * uniform(0.8, 1.15, 1, 1, 1) + uniform(-0.1, 0.1, 1, 1, 1)
    images = images + uniform(0, 0.06, 1, 1, 1) * torch.randn_like(images)
    return images.clamp(-1, 1).contiguous(memory_format=torch.channels_last)


class Training:
    """The network, its descent and the arrays of the checkpoint that it began with."""

    def __init__(self, config: dict, characters: int, device: str, rate: float):
        self.arrays = {name: array.astype(np.float32) if array.dtype == np.float16 else array
                       for name, array in np.load(READER / "checkpoints" / "best.npz").items()}  # fmt: skip
        self.device, self.blank = device, characters
        self.network = Reader(config["height"], characters + 1, config["dropout"])
        self.network.read(self.arrays)
        self.network.to(device, memory_format=torch.channels_last)
        self.descent = Descent(self.network.parameters(), rate, config["weight_decay"], WARMUP, CLIP)

    def step(self, images: torch.Tensor, labels: torch.Tensor, done: float) -> None:
        """Trains on a batch; done: the share of the time that has passed."""
        with torch.autocast(self.device, torch.bfloat16):
            logits = self.network(images)
        self.descent.step(self.loss(logits.float(), labels), done)

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        frames = torch.full((len(logits),), logits.shape[1], device=logits.device)
        lengths = (labels >= 0).sum(1)
        log_probabilities = logits.log_softmax(2).transpose(0, 1)
        losses = F.ctc_loss(log_probabilities, labels.clamp(min=0), frames, lengths, self.blank, "none")
        return losses.mean()


def train(training: Training, views: Newest, source: Source, args) -> None:
    begun, steps, told = time.monotonic(), 0, 0.0
    while (passed := time.monotonic() - begun) < 60 * args.minutes:
        while source.ready():
            views.add(*source.next())
        training.step(*batch(views, args.batch_size), passed / (60 * args.minutes))
        steps += 1
        if passed - told > 20:
            told = passed
            save(training, views, steps, args)
            print(
                f"{passed:.0f} s  step {steps:,}  views {views.added:,}  loss {training.descent.mean_loss():.3f}",
                flush=True,
            )
    save(training, views, steps, args)


def save(training: Training, views: Newest, steps: int, args) -> None:
    with files.atomic_write(args.output / "weights.npz", binary=True) as stream:
        np.savez(stream, **training.network.write(training.arrays))
    figures = {"steps": steps, "batch_size": args.batch_size, "distinct": views.added // VIEWS}
    with files.atomic_write(args.output / "training.json") as stream:
        json.dump(figures, stream)


if __name__ == "__main__":
    main()
