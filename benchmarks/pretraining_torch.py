"""Pretrains the encoder `fast` on unlabelled images on a GPU, with PyTorch: SimCLR, SimSiam or DiG's pair.

    seqclr pretrain --method simclr --data IMAGES --output runs/start encoder=fast width=128 steps=1
    python benchmarks/pretraining_torch.py --run runs/start --data IMAGES --minutes 3 --output runs/gpu
    seqclr finetune --pretrained runs/gpu --data IMAGES ...

It continues from the checkpoint of a run of `simclr`, `simsiam` or `masked_simclr`, with its keys and a new optimizer,
and writes the run again with the trained weights. All CPU cores draw the method's own views, 64 of one source in a row;
the GPU keeps the newest. The cosine of the learning rate ends with the time. Nothing here imports TensorFlow.
"""

import argparse
import functools
import json
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from descent_torch import Descent
from reader_torch import DIM, SLOPE, STRIDE, Encoder
from torch import nn
from workers_torch import Newest, Source

from seqclr import files
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.grouping import GroupedBySource
from seqclr.errors import UserError
from seqclr.transforms.masked_views import MaskedViews
from seqclr.transforms.two_views import TwoViews

GROUP = 64  # images of one source in a row
KEPT = 400_000  # examples on the GPU
WRITTEN = {  # the values of keys that are written here
    "method": ("simclr", "simsiam", "masked_simclr"), "encoder": ("fast",), "positions": ("convolutional",),
    "channels": (3,), "resize": ("stretch",), "correspondence": ("geometry",),
    "frames": ("frames:1", "frames:2", "frames:4"), "loss_name": ("info_nce",), "negatives": ("all", "images"),
    "output_norm": (False,),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if not list(args.run.glob("checkpoints/step-*.npz")):
        parser.error(f"{args.run} is no run of seqclr pretrain with a checkpoint")
    if args.batch_size < GROUP:
        parser.error(f"--batch-size {args.batch_size}: at least {GROUP}, the images of one source in a row")
    config = yaml.safe_load((args.run / "config.yaml").read_text())
    for key, values in WRITTEN.items():
        if key in config and config[key] not in values:
            parser.error(f"{args.run}: {key} is {config[key]}, and this script has {', '.join(map(str, values))} only")
    try:
        files.check_new(args.output)
        dataset = ImageDataset(find_unlabelled(args.data), config["height"], config["width"], "stretch", skip_bad=True)
    except UserError as error:
        parser.error(str(error))
    masked = config["method"] == "masked_simclr"
    views = MaskedViews(config["views"], 2, config["spans"], config["span"]) if masked else TwoViews(config["views"])
    names, shapes = shapes_of(config["height"], config["width"], masked)
    # before CUDA is used, as the workers are forked
    source = Source(functools.partial(draw, dataset, views, names), shapes, GROUP, args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    newest = Newest(shapes, KEPT, device)
    while newest.filled < 4 * args.batch_size:
        newest.add(*source.next())
    training = Training(config, args.run, device)
    train(training, newest, names, source, args)
    write(training, args.run, args.output)
    source.close()


def shapes_of(height: int, width: int, masked: bool) -> tuple[list[str], list]:
    """The names of an example's arrays, and their shapes and dtypes."""
    arrays = {"views": ((2, height, width, 3), np.uint8), "geometry": ((2, 4), np.float32), "index": ((), np.int32)}
    if masked:
        arrays |= {"hidden": ((2, width), np.uint8), "originals": ((2, height, width), np.uint8)}
    return list(arrays), list(arrays.values())


def draw(dataset: ImageDataset, views, names: list[str], rng: np.random.Generator):
    """Yields the arrays of a group of random images of one source."""
    sources = [sample.source for sample in dataset.samples]
    records = GroupedBySource(dataset, sources, GROUP, int(rng.integers(2**31)))
    for i in range(GROUP):
        example = views(records[i], rng)
        yield [example[name] for name in names]


class Training:
    """The encoder with its method, and their descent."""

    def __init__(self, config: dict, run: Path, device: str):
        self.arrays = dict(np.load(checkpoint(run)))
        self.encoder = Encoder(config["height"], config["dropout"])
        self.encoder.read(self.arrays)
        self.method = METHODS[config["method"]](config)
        for name, tensor in weights(self.method, self.arrays):
            tensor.copy_(torch.from_numpy(self.arrays[name].T))
        parameters = [value for part in (self.encoder, self.method) for value in part.to(device).parameters()]
        keys = ("learning_rate", "weight_decay", "warmup", "clip")
        self.descent = Descent(parameters, *(config[key] for key in keys))

    def step(self, batch: dict[str, torch.Tensor], done: float) -> None:
        """Trains on a batch; done: the share of the time that has passed."""
        self.descent.step(self.method(self.encoder, batch), done)


class SimCLR(nn.Module):
    """InfoNCE of the instances that both views show, as of seqclr/methods/contrastive/simclr.py."""

    def __init__(self, config: dict):
        super().__init__()
        self.config = config
        self.projector = mlp(
            [DIM, *[config["hidden_dim"]] * (config["projection_layers"] - 1)], config["projection_dim"]
        )

    def forward(self, encoder: Encoder, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.contrast(compared(self.config, encode(encoder, batch["views"])), batch)

    def contrast(self, features: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        rows, valid = instances(self.projector(features), batch["geometry"], self.config["frames"])
        first, second = F.normalize(rows, dim=2)
        logits = first @ second.T / (self.config["temperature"] or 0.1)
        image = batch["index"].repeat_interleave(len(first) // len(batch["index"]))
        allowed = valid[None] & ((image[:, None] != image) | (self.config["negatives"] == "all"))
        logits = logits.masked_fill(~(allowed | torch.eye(len(image), dtype=torch.bool, device=image.device)), -1e9)
        partners = torch.arange(len(image), device=image.device)
        losses = F.cross_entropy(logits, partners, reduction="none") + F.cross_entropy(
            logits.T.masked_fill(~valid[None], -1e9), partners, reduction="none"
        )
        return (losses * valid).sum() / valid.sum() / 2


class MaskedSimCLR(SimCLR):
    """SimCLR and the reconstruction of masked strips, as of seqclr/methods/text/masked_simclr.py."""

    def __init__(self, config: dict):
        super().__init__(config)
        self.decoder = nn.Sequential(
            nn.Linear(DIM, 2 * DIM), nn.LeakyReLU(SLOPE), nn.Linear(2 * DIM, STRIDE * config["height"])
        )

    def forward(self, encoder: Encoder, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        frames = encode(encoder, batch["views"])
        loss = self.contrast(compared(self.config, frames), batch)
        images = self.decoder(frames[1]).unflatten(2, (STRIDE, -1)).flatten(1, 2).transpose(1, 2)
        originals = batch["originals"].transpose(0, 1).flatten(0, 1).float()
        weights = torch.where(batch["hidden"].transpose(0, 1).flatten(0, 1) > 0, 1.0, self.config["visible"])
        mean, variance = originals.mean((1, 2), keepdim=True), originals.var((1, 2), correction=0, keepdim=True)
        errors = (images - (originals - mean) * torch.rsqrt(variance + 25)).square().mean(1)
        error = ((errors * weights).sum(1) / weights.sum(1)).mean()
        return loss + self.config["reconstruction"] * error


class SimSiam(nn.Module):
    """As of seqclr/methods/contrastive/simsiam.py, with the predictor's learning rate as of the rest."""

    def __init__(self, config: dict):
        super().__init__()
        self.config = config
        width = config["projection_dim"]
        self.projector = mlp([DIM, width, width], width, norm=True)
        self.predictor = mlp([width, config["prediction_dim"]], width)

    def forward(self, encoder: Encoder, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        z = self.projector(compared(self.config, encode(encoder, batch["views"])))
        p = self.predictor(z)
        (z, valid), (p, _) = (instances(x, batch["geometry"], self.config["frames"]) for x in (z, p))
        similarity = F.cosine_similarity(p, z.flip(0).detach(), dim=2).mean(0)
        kernels = [layer.weight for part in (self.projector, self.predictor) for layer in part.modules()
                   if isinstance(layer, nn.Linear)]  # fmt: skip
        penalty = sum(kernel.square().sum() for kernel in kernels)
        return self.config["l2"] * penalty - (similarity * valid).sum() / valid.sum()


METHODS = {"simclr": SimCLR, "simsiam": SimSiam, "masked_simclr": MaskedSimCLR}


class FrameNorm(nn.BatchNorm1d):
    """Batch norm of frames `[B, T, D]`."""

    def forward(self, x):
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def mlp(inputs: list[int], outputs: int, norm: bool = False) -> nn.Sequential:
    """Dense layers on frames with batch norm and LeakyReLU between, as seqclr/nn/heads.py. norm: at the end too."""
    parts: list[nn.Module] = []
    for given, hidden in zip(inputs, inputs[1:]):
        parts += [nn.Linear(given, hidden, bias=False), FrameNorm(hidden), nn.LeakyReLU(SLOPE)]
    parts.append(nn.Linear(inputs[-1], outputs, bias=not norm))
    return nn.Sequential(*parts, *[FrameNorm(outputs, affine=False)] * norm)


def encode(encoder: Encoder, views: torch.Tensor) -> list[torch.Tensor]:
    """The frames `float [2B, T, D]` of CNN and Transformer of `views: uint8 [B, 2, H, W, 3]`, the first views first."""
    images = views.transpose(0, 1).flatten(0, 1).permute(0, 3, 1, 2).float() / 127.5 - 1
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
        return [frames.float() for frames in encoder.frames(images)]


def compared(config: dict, frames: list[torch.Tensor]) -> torch.Tensor:
    """The frames of the key `layer`."""
    return frames[config["layer"] == "transformer"]


def instances(frames: torch.Tensor, geometry: torch.Tensor, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows of `frames:N`, `[2, B * windows, D]`, pooled where each view shows them, and which both views show.

    frames: `[2B, T, D]`. geometry: `[B, 2, 4]`. As seqclr/nn/frames.py.
    """
    count, size = frames.shape[1], int(kind.removeprefix("frames:"))
    geometry = geometry.transpose(0, 1).flatten(0, 1)
    edges = (torch.arange(-(-count // size) + 1, device=frames.device) * size - (-count % size) // 2).clamp(0, count)
    edges = geometry[:, :1] * edges + geometry[:, 1:2] * count
    first, last = torch.minimum(edges[:, :-1], edges[:, 1:]), torch.maximum(edges[:, :-1], edges[:, 1:])
    columns = torch.arange(count, device=frames.device)
    covered = (torch.minimum(last[..., None], columns + 1) - torch.maximum(first[..., None], columns)).clamp(min=0)
    total = covered.sum(2)
    valid = (total > 0) & (total >= 0.5 * (last - first) - 1e-3)
    pooled = covered @ frames / torch.where(total > 0, total, 1)[..., None]
    return pooled.unflatten(0, (2, -1)).flatten(1, 2), valid.unflatten(0, (2, -1)).all(0).flatten()


def train(training: Training, newest: Newest, names: list[str], source: Source, args) -> None:
    begun, steps, told = time.monotonic(), 0, 0.0
    offsets = torch.arange(GROUP, device=newest.device)
    while (passed := time.monotonic() - begun) < 60 * args.minutes:
        for _ in range(8):  # no more, so that the GPU does not wait
            if source.ready():
                newest.add(*source.next())
        groups = torch.randperm(newest.filled // GROUP, device=newest.device)[: args.batch_size // GROUP]
        rows = newest.rows((groups[:, None] * GROUP + offsets).flatten())
        training.step(dict(zip(names, rows)), passed / (60 * args.minutes))
        steps += 1
        if passed - told > 10:
            told = passed
            print(
                f"{passed:.0f} s  step {steps:,}  examples {newest.added:,}  loss {training.descent.mean_loss():.3f}",
                flush=True,
            )
    figures = {"steps": steps, "batch_size": args.batch_size, "drawn": newest.added}
    print(json.dumps(figures), flush=True)


def checkpoint(run: Path) -> Path:
    """The newest checkpoint of a run."""
    return max((run / "checkpoints").glob("step-*.npz"))


def write(training: Training, run: Path, output: Path) -> None:
    """A copy of the run with the trained weights."""
    arrays = training.encoder.write(training.arrays)
    arrays |= {name: tensor.cpu().numpy().T for name, tensor in weights(training.method, training.arrays)}
    shutil.copytree(run, output)
    with files.atomic_write(checkpoint(output), binary=True) as stream:
        np.savez(stream, **arrays)


def weights(method: nn.Module, arrays: dict[str, np.ndarray]) -> list[tuple[str, torch.Tensor]]:
    """The weights of a method's heads, with their names in a checkpoint; those of dense layers are transposed there."""
    pairs: list[tuple[str, torch.Tensor]] = []
    for part, head in method.named_children():
        names = [name for name in arrays if name.startswith(f"{part}/")]
        tensors = [value for name, value in head.state_dict().items() if not name.endswith("num_batches_tracked")]
        pairs += zip(names, tensors, strict=True)
    return pairs


if __name__ == "__main__":
    main()
