"""AdamW with a warm-up and a cosine over a time, for a training on a GPU with PyTorch."""

import math
from collections.abc import Iterable

import torch
from torch import nn


class Descent:
    """Steps of AdamW on parameters, which are on the device already; vectors have no weight decay.

    rate: the highest learning rate. warmup: the share of the time with a rising one. clip: norm of the gradient.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], rate: float, weight_decay: float, warmup: float, clip: float
    ):
        self.parameters, self.rate, self.warmup, self.clip = list(parameters), rate, warmup, clip
        self.losses: list[torch.Tensor] = []
        groups = [{"params": [value for value in self.parameters if value.ndim > 1]},
                  {"params": [value for value in self.parameters if value.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
        fused = self.parameters[0].is_cuda
        self.optimizer = torch.optim.AdamW(groups, rate, weight_decay=weight_decay, fused=fused)

    def step(self, loss: torch.Tensor, done: float) -> None:
        """Descends by the gradient of a loss; done: the share of the time that has passed."""
        fallen = max(0.0, done - self.warmup) / (1 - self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * min(1.0, done / self.warmup) * 0.5 * (1 + math.cos(math.pi * fallen))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        self.losses.append(loss.detach())

    def mean_loss(self) -> float:
        """The mean loss since the last call."""
        mean, self.losses = torch.stack(self.losses).mean().item(), []
        return mean
