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
    """Self-labelling: labels of equally large classes and the network maximise the same likelihood in turn (Asano et
    al. 2020, arXiv:1911.05371).

    The first labels are random. They are solved more often at the start: the n-th of N times at the part (n / N)^2 of
    the run. Each head has its own labels, and the losses of the heads are averaged.
    """

    clusters: int = key(128, "number of classes; 3000 in the paper", least=2, most=MANY)
    heads: int = key(1, "heads, each with its own labels; 10 in the paper's best run", least=1, most=1000)
    relabellings: int = key(
        20, "number of times that labels are solved during the run; about 100 in the paper", least=1, most=10**5
    )
    sharpness: float = key(25.0, "sharpness of the assignment; lambda in the paper", least=0)

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
