"""PyTorch's side of throughput.py: the same network, views and losses with its own layers, DataLoader and AdamW.

Eager mode, with the faster options on a CPU: channels last where it is faster, and the fused AdamW.
"""

import itertools
import math
import time

import numpy as np
import throughput_parts as parts
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

from seqclr.data.discovery import find_unlabelled
from seqclr.transforms.two_views import TwoViews

CHANNELS, DIM, DEPTH, HEADS, DROPOUT = (32, 64, 128), 128, 2, 4, 0.1  # the encoder `tiny`
WINDOW = 5  # frames averaged to an instance
SLOPE, TEMPERATURE, L2 = 0.18, 0.1, 1e-3

# the network


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, and ReLU if `activation`. It pads as TensorFlow's `same` does."""

    def __init__(self, inputs: int, channels: int, kernel: int, strides=(1, 1), activation: bool = True):
        super().__init__()
        # with a stride of two, `same` pads even sizes only at the end
        uneven = [kernel > 1 and stride == 2 for stride in strides]
        self.end = (0, int(uneven[1]), 0, int(uneven[0]))
        padding = tuple(0 if odd else kernel // 2 for odd in uneven)
        self.conv = nn.Conv2d(inputs, channels, kernel, strides, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.activation = activation

    def forward(self, x):
        x = self.bn(self.conv(F.pad(x, self.end) if any(self.end) else x))
        return F.relu(x, inplace=True) if self.activation else x


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, channels: int, strides):
        super().__init__()
        self.first = ConvNorm(inputs, channels, 3, strides)
        self.second = ConvNorm(channels, channels, 3, activation=False)
        self.shortcut = ConvNorm(inputs, channels, 1, strides, activation=False)

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.second(self.first(x)), inplace=True)


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and MLP."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(DIM, eps=1e-6)
        self.attention = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
        self.norm2 = nn.LayerNorm(DIM, eps=1e-6)
        self.expand = nn.Linear(DIM, 4 * DIM)
        self.contract = nn.Linear(4 * DIM, DIM)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.dropout(self.attention(y, y, y, need_weights=False)[0])
        return x + self.dropout(self.contract(F.gelu(self.expand(self.norm2(x)), approximate="tanh")))


class Encoder(nn.Module):
    """Images `uint8 [B, H, W, 3]` to frames `[B, W / 4, D]`."""

    def __init__(self):
        super().__init__()
        stem, first, second = CHANNELS
        self.stem = ConvNorm(3, stem, 3, (2, 2))
        self.blocks = nn.Sequential(Residual(stem, first, (2, 2)), Residual(first, second, (2, 1)))
        self.columns = nn.Linear(parts.HEIGHT // 8 * second, DIM)
        self.positions = nn.Conv1d(DIM, DIM, 7, padding=3, groups=DIM)
        self.transformer = nn.Sequential(*(TransformerBlock() for _ in range(DEPTH)))
        self.norm = nn.LayerNorm(DIM, eps=1e-6)
        self.format = torch.contiguous_format

    def forward(self, images):
        x = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=self.format) / 127.5 - 1
        x = self.blocks(self.stem(x))
        x = self.columns(x.permute(0, 3, 2, 1).flatten(2))
        x = x + self.positions(x.transpose(1, 2)).transpose(1, 2)
        return self.norm(self.transformer(x))

    def use(self, memory_format) -> None:
        """Sets the memory format of images and kernels."""
        self.format = memory_format
        self.to(memory_format=memory_format)


def mlp(inputs: int, dims, output_norm: bool = False) -> nn.Sequential:
    """Linear layers on `[N, inputs]`, batch norm and LeakyReLU between; `output_norm`: plain batch norm after."""
    layers = []
    for before, dim in zip((inputs, *dims), dims[:-1]):
        layers += [nn.Linear(before, dim, bias=False), nn.BatchNorm1d(dim), nn.LeakyReLU(SLOPE)]
    layers.append(nn.Linear(dims[-2], dims[-1], bias=not output_norm))
    return nn.Sequential(*layers, *([nn.BatchNorm1d(dims[-1], affine=False)] if output_norm else []))


# the losses


def instances(x, geometry):
    """Instances with correspondence by geometry: `[2B, T, D]` to two times `[N, D]`, positive pairs in the same row.

    geometry: `[2B, 4]`, factor and offset along x, then y. Windows of which a view shows less than half are dropped.
    """
    frames = x.shape[1]
    count = math.ceil(frames / WINDOW)
    first = torch.arange(count, device=x.device) * WINDOW - (count * WINDOW - frames) // 2
    factor, offset = geometry[:, :1], geometry[:, 1:2] * frames
    begin, end = (factor * edge.clamp(0, frames) + offset for edge in (first, first + WINDOW))
    position = torch.arange(frames, device=x.device)
    shown = torch.minimum(end[..., None], position + 1) - torch.maximum(begin[..., None], position)
    shown = shown.clamp(min=0)
    total = shown.sum(2)
    pooled = (shown / total.clamp(min=1e-6)[..., None]) @ x
    valid = (total > 0.5 * (end - begin)).chunk(2)
    return [half[valid[0] & valid[1]] for half in pooled.chunk(2)]


class SimCLR(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.projector = mlp(DIM, (256, 128))

    def forward(self, views, geometry):
        features = self.encoder(views)
        z = self.projector(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        a, b = (F.normalize(half, dim=1) for half in instances(z, geometry))
        logits, partners = a @ b.T / TEMPERATURE, torch.arange(len(a), device=a.device)
        return (F.cross_entropy(logits, partners) + F.cross_entropy(logits.T, partners)) / 2


class SimSiam(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.projector = mlp(DIM, (512, 512, 512), output_norm=True)
        self.predictor = mlp(512, (128, 512))

    def forward(self, views, geometry):
        features = self.encoder(views)
        z = self.projector(features.flatten(0, 1))
        p = self.predictor(z)
        (z1, z2), (p1, p2) = (instances(x.unflatten(0, features.shape[:2]), geometry) for x in (z.detach(), p))
        likeness = F.cosine_similarity(p1, z2).mean() + F.cosine_similarity(p2, z1).mean()
        kernels = [m.weight for head in (self.projector, self.predictor) for m in head if isinstance(m, nn.Linear)]
        return L2 * sum(kernel.square().sum() for kernel in kernels) - likeness / 2


METHODS = {"simclr": SimCLR, "simsiam": SimSiam}

# the loop


class Images(Dataset):
    """Two views of every image, from seqclr's own transform."""

    def __init__(self, data):
        self.samples, self.transform = find_unlabelled(data), TwoViews(parts.VIEWS)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        rng = np.random.default_rng(torch.randint(2**62, ()).item())
        return self.transform(parts.record(self.samples[index], index), rng)


class Training:
    """A network and its optimizer; a step is `forward`, `backward` and `update`.

    A batch is views `uint8 [2B, H, W, 3]` and geometry `[2B, 4]`, all first views before all second views.
    """

    def __init__(self, method: str, steps: int):
        self.network = METHODS[method]()
        kernels, excluded = [], []
        for parameter in self.network.parameters():
            (excluded if parameter.ndim < 2 else kernels).append(parameter)
        groups = [{"params": kernels}, {"params": excluded, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, parts.LEARNING_RATE, weight_decay=parts.WEIGHT_DECAY, fused=True)
        rise = max(1, int(parts.SMOOTH * steps))

        def warmup_cosine(step):
            fall = min(1.0, max(0.0, (step - rise) / max(1, steps - rise)))
            return min((step + 1) / rise, 0.5 + 0.5 * math.cos(math.pi * fall))

        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, warmup_cosine)

    def forward(self, batch):
        return self.network(*batch)

    def backward(self, loss):
        self.optimizer.zero_grad()
        loss.backward()

    def update(self):
        nn.utils.clip_grad_norm_(self.network.parameters(), parts.CLIP)
        self.optimizer.step()
        self.schedule.step()

    def step(self, batch):
        self.backward(self.forward(batch))
        self.update()

    def choose_format(self, batches, times: int = 3) -> str:
        """Sets the faster memory format, by the median of alternating steps, and returns its name."""
        seconds = {torch.contiguous_format: [], torch.channels_last: []}
        for batch in itertools.islice(itertools.cycle(batches), times + 1):
            for memory_format, taken in seconds.items():
                self.network.encoder.use(memory_format)
                taken.append(parts.seconds_of(self.step, batch))
        chosen = min(seconds, key=lambda memory_format: parts.median(seconds[memory_format][1:]))
        self.network.encoder.use(chosen)
        return "channels last" if chosen == torch.channels_last else "channels first"


def tensors_of(batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The network's inputs from a collated batch."""
    return tuple(torch.cat(batch[name].unbind(1)) for name in ("views", "geometry"))


def endless(loader):
    while True:
        yield from loader


def device_parts(training: Training, batches, times: int) -> dict[str, float]:
    """Seconds per batch of each part of a step."""
    seconds = []
    for batch in itertools.islice(itertools.cycle(batches), times):
        moments = [time.perf_counter()]
        ready = tensors_of(batch)
        moments.append(time.perf_counter())
        loss = training.forward(ready)
        moments.append(time.perf_counter())
        training.backward(loss)
        moments.append(time.perf_counter())
        training.update()
        moments.append(time.perf_counter())
        seconds.append(np.diff(moments))
    return dict(zip(("transfer", "forward", "backward", "update"), np.median(seconds, axis=0).tolist()))


def main() -> None:
    args = parts.arguments()
    torch.manual_seed(0)
    clock = parts.Clock(args.steps)
    training = Training(args.method, clock.steps)
    loader = DataLoader(
        Images(args.data),
        args.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=parts.PROCESSES,
        prefetch_factor=parts.BUFFER,
        persistent_workers=True,
    )
    batches = endless(loader)
    cached = [next(batches) for _ in range(parts.CACHED)]
    memory_format = training.choose_format([tensors_of(batch) for batch in cached])
    for batch in itertools.islice(batches, clock.steps):
        training.step(tensors_of(batch))
        clock.tick()
    batches.close()
    del loader
    seconds = parts.alone(training.step, [tensors_of(batch) for batch in cached], args.steps)
    times = max(5, args.steps // 4)
    parts.report({
        "parameters": sum(p.numel() for p in training.network.parameters()),
        "alone": args.batch_size * args.steps / seconds,
        "loop": args.batch_size * args.steps / clock.seconds,
        "memory": clock.memory,
        "parts": {**parts.host_parts(args.data, args.batch_size, times), **device_parts(training, cached, times)},
        "about": f"PyTorch {torch.__version__}, {memory_format}",
    })  # fmt: skip


if __name__ == "__main__":
    main()
