"""Encoder `fast` of seqclr/nn/encoders.py in PyTorch, and the reader of the package, which has a CTC head.

Weights are read from the arrays of a checkpoint and written to them. It imports neither TensorFlow nor Keras.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.18  # of the head's LeakyReLU
CHANNELS, DIM, DEPTH, HEADS, RATIO, STEM = (48, 64, 96), 96, 2, 4, 3, 8  # the encoder `fast`
STRIDE = 4  # columns of the image per frame


class ConvNorm(nn.Module):
    """Convolution without bias and batch norm; sides are multiples of the strides, and padded as by TensorFlow."""

    def __init__(self, inputs: int, channels: int, kernel: int, strides=(1, 1)):
        super().__init__()
        down, across = (max(0, kernel - stride) for stride in strides)
        self.padding = (across // 2, across - across // 2, down // 2, down - down // 2)
        self.conv = nn.Conv2d(inputs, channels, kernel, strides, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return self.bn(self.conv(F.pad(x, self.padding)))


class Residual(nn.Module):
    def __init__(self, inputs: int, channels: int, strides):
        super().__init__()
        self.first = ConvNorm(inputs, channels, 3, strides)
        self.second = ConvNorm(channels, channels, 3)
        self.shortcut = ConvNorm(inputs, channels, 1, strides)

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.second(F.relu(self.first(x))))


class TransformerBlock(nn.Module):
    def __init__(self, dropout: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(DIM, eps=1e-6)
        self.query, self.key, self.value, self.output = (nn.Linear(DIM, DIM) for _ in range(4))
        self.norm2 = nn.LayerNorm(DIM, eps=1e-6)
        self.expand, self.contract = nn.Linear(DIM, RATIO * DIM), nn.Linear(RATIO * DIM, DIM)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        y = self.norm1(x)
        heads = [part(y).unflatten(2, (HEADS, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)]
        y = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        x = x + self.dropout(self.output(y))
        return x + self.dropout(self.contract(F.relu(self.expand(self.norm2(x)))))


class Encoder(nn.Module):
    """Images `float [B, 3, H, W]` of -1 to 1 to frames `[B, W / 4, DIM]`."""

    def __init__(self, height: int, dropout: float):
        super().__init__()
        stem, first, second = CHANNELS
        self.stem = ConvNorm(3, stem, STEM, (STRIDE, STRIDE))
        self.blocks = nn.Sequential(Residual(stem, first, (2, 1)), Residual(first, second, (2, 1)))
        self.columns = nn.Linear(height // (4 * STRIDE) * second, DIM)
        self.positions = nn.Conv1d(DIM, DIM, 7, padding=3, groups=DIM)
        self.transformer = nn.Sequential(*(TransformerBlock(dropout) for _ in range(DEPTH)))
        self.norm = nn.LayerNorm(DIM, eps=1e-6)

    def frames(self, images) -> tuple[torch.Tensor, torch.Tensor]:
        """The frames of the CNN and those of the Transformer."""
        x = self.blocks(F.relu(self.stem(images)))
        columns = self.columns(x.permute(0, 3, 2, 1).flatten(2))
        x = columns + self.positions(columns.transpose(1, 2)).transpose(1, 2)
        return columns, self.norm(self.transformer(x))

    def tensors(self) -> list[tuple[str, torch.Tensor]]:
        """All weights and statistics, in the order of a checkpoint."""
        return [(name, value) for name, value in self.state_dict().items() if not name.endswith("num_batches_tracked")]

    def read(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes the weights of a checkpoint."""
        given = [array for name, array in arrays.items() if is_weight(name, array)]
        with torch.no_grad():
            for (name, value), array in zip(self.tensors(), given, strict=True):
                value.copy_(torch.from_numpy(to_torch(name, array.astype(np.float32)).reshape(value.shape)))

    def write(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """These arrays of a checkpoint, with the weights replaced by those of this network."""
        values = iter(self.tensors())
        replaced = dict(arrays)
        for name, array in arrays.items():
            if is_weight(name, array):
                own, value = next(values)
                replaced[name] = from_torch(own, value.float().cpu().numpy()).reshape(array.shape)
        return replaced


class Reader(Encoder):
    """Images `float [B, 3, H, W]` of -1 to 1 to CTC logits `[B, W / 4, classes]`, the blank last."""

    def __init__(self, height: int, classes: int, dropout: float):
        super().__init__(height, dropout)
        self.dense, self.logits = nn.Linear(DIM, DIM), nn.Linear(DIM, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images):
        _, x = self.frames(images)
        return self.logits(self.dropout(F.leaky_relu(self.dense(x), SLOPE)))


def is_weight(name: str, array: np.ndarray) -> bool:
    """Whether an array of a checkpoint is one of the network; the states of dropout are integers."""
    return name.startswith(("encoder/", "head/")) and array.dtype.kind == "f"


def to_torch(name: str, array: np.ndarray) -> np.ndarray:
    """An array with the axes of PyTorch's weight of this name, dense layers flattened to two."""
    if name == "positions.weight":
        return array.transpose(1, 2, 0)
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    if not name.endswith("weight") or array.ndim < 2:
        return array
    inputs = math.prod(array.shape[:2]) if name.endswith("output.weight") else len(array)  # heads are of the inputs
    return array.reshape(inputs, -1).T


def from_torch(name: str, array: np.ndarray) -> np.ndarray:
    """The inverse of `to_torch`, up to the shape."""
    if name == "positions.weight":
        return array.transpose(2, 0, 1)
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T if array.ndim == 2 else array
