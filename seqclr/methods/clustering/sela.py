"""SeLa on frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqclr.config import MANY, key, shown
from seqclr.errors import UserError
from seqclr.methods.clustering.surrogate import NONE, Relabelled, check_classes
from seqclr.methods.registry import register
from seqclr.nn import clusters


@register("sela", paper="Asano et al. 2020, arXiv:1911.05371")
@dataclass
class SeLa(Relabelled):
    """Self-labelling: labels of equally large classes and the network maximise the same likelihood in turn (Asano et
    al. 2020, arXiv:1911.05371).

    The first labels are random. They are solved more often at the start: the n-th of N times at the part (n / N)^2 of
    the run. Each head has its own labels, and the losses of the heads are averaged.

    Classes of other sizes: `marginals` gives them, the largest to the class that the network prefers most (Asano et al.
    2020, arXiv:2006.13662); or they are estimated, as sizes that a penalty keeps near equal ones (Zhang et al. 2024,
    arXiv:2401.09266), at the n-th of N times with the weight `balance` N / n.
    """

    clusters: int = key(128, "number of classes; 3000 in the paper", least=2, most=MANY)
    heads: int = key(1, "heads, each with its own labels; 10 in the paper's best run", least=1, most=1000)
    relabellings: int = key(
        20, "number of times that labels are solved during the run; about 100 in the paper", least=1, most=10**5
    )
    sharpness: float = key(25.0, "sharpness of the assignment; lambda in the paper", least=0)
    marginals: str = key(
        "equal", "sizes of the classes: equal, estimated, or numbers in any order, as 60,30,10", free=True
    )
    balance: float = key(
        0.3, "weight of the penalty that keeps estimated sizes near equal ones, at the end of the run", least=1e-3
    )

    def __post_init__(self):
        super().__post_init__()
        self.shares = np.full(self.clusters, 1 / self.clusters)
        if self.marginals not in ("equal", "estimated"):
            self.shares = read_shares(self.marginals, self.clusters)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        present = self.present()
        count = int(present.sum())
        check_classes("clusters", self.clusters, count)
        self.make_head(self.clusters)
        draw, labels = np.random.default_rng(0), np.full((*present.shape, self.heads), NONE)
        sized = np.searchsorted(np.cumsum(self.shares)[:-1], (np.arange(count) + 0.5) / count)
        labels[present] = np.stack([draw.permutation(sized) for _ in range(self.heads)], axis=-1)
        self.make_labels(labels)

    def times(self) -> list[int]:
        return [round(self.run.total_steps * (n / self.relabellings) ** 2) for n in range(1, self.relabellings)]

    def relabels(self, step):
        return step in self.times()

    def phase(self, step):
        return self.frozen(step), sum(time <= step for time in self.times())

    def relabel(self, batches):
        scores, present = self.whole_set(batches, lambda batch: self.classify(batch, training=False))
        rows = scores[present]
        found = [self.solve(rows[:, head]) for head in range(self.heads)]
        self.assign_labels(np.stack(found, axis=-1), present)
        self.rounds.assign(self.rounds.value + 1)

    def solve(self, scores: np.ndarray) -> np.ndarray:
        """The classes `int32 [N]` of instances with log probabilities `[N, K]`."""
        preferred = np.argsort(np.argsort(np.exp(scores).sum(0)))  # the rank of each class
        balance = None
        if self.marginals == "estimated":
            balance = self.balance * self.relabellings / (int(self.rounds.numpy()) + 1)
        return clusters.sized_classes(scores, np.sort(self.shares)[preferred], self.sharpness, balance)


def read_shares(marginals: str, count: int) -> np.ndarray:
    """The shares `[count]` of a text of numbers. Raises UserError where they are no sizes of so many classes."""
    try:
        sizes = np.array([float(number) for number in marginals.split(",")])
    except ValueError:
        raise UserError(f"marginals '{shown(marginals)}': equal, estimated, or numbers such as 60,30,10") from None
    if len(sizes) != count:
        raise UserError(f"marginals has {len(sizes)} sizes: clusters is {count}, so give as many")
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise UserError(f"marginals '{shown(marginals)}': the sizes must be above 0")
    return sizes / sizes.sum()
