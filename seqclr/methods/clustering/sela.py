"""SeLa on frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqclr.config import MANY, key
from seqclr.methods.clustering.surrogate import NONE, Relabelled, check_classes
from seqclr.methods.registry import register
from seqclr.nn import clusters


@register("sela", paper="Asano et al. 2020, arXiv:1911.05371")
@dataclass
class SeLa(Relabelled):
    """Asano et al. 2020, arXiv:1911.05371. Labels and network maximise the same likelihood in turn, under classes of
    equal size.

    Labels are drawn by chance at first. Solving them is frequent at the start and rarer later: the n-th of N times is
    at the part (n / N)^2 of the run. Each head has its own labels, and their losses are averaged.
    """

    clusters: int = key(128, "classes; 3000 in the paper", least=2, most=MANY)
    heads: int = key(1, "labellings at a time; 10 in the paper's best", least=1, most=1000)
    relabellings: int = key(20, "times that labels are solved in the run; about 100 in the paper", least=1, most=10**5)
    sharpness: float = key(25.0, "how hard the assignment is; lambda in the paper", least=0)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        present = self.present()
        count = int(present.sum())
        check_classes("clusters", self.clusters, count)
        self.make_head(self.clusters)
        draw, labels = np.random.default_rng(0), np.full((*present.shape, self.heads), NONE)
        labels[present] = np.stack(
            [draw.permutation(np.arange(count) % self.clusters) for _ in range(self.heads)], axis=-1
        )
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
        found = [clusters.equal_classes(rows[:, head], self.sharpness) for head in range(self.heads)]
        self.assign_labels(np.stack(found, axis=-1), present)
        self.rounds.assign(self.rounds.value + 1)
