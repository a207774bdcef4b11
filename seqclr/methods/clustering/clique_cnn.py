"""CliqueCNN on frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqclr.config import MANY, key
from seqclr.errors import UserError
from seqclr.methods.clustering.surrogate import NONE, Relabelled
from seqclr.methods.registry import register
from seqclr.nn import clusters


@register(
    "clique_cnn",
    paper="Bautista et al. 2016, arXiv:1608.08792",
    needs_whole_batch="instances outside of all cliques do not count in its mean",
)
@dataclass
class CliqueCNN(Relabelled):
    """Classification of instances into cliques, small groups of similar instances (Bautista et al. 2016,
    arXiv:1608.08792). Instances outside of all cliques do not count.

    Cliques are found before every pass over the data, the first time in the features of the untrained encoder, where
    the paper uses HOG-LDA.
    """

    cliques: int = key(100, "number of cliques, the classes", least=2, most=MANY)
    clique_size: int = key(8, "instances in a clique", least=2, most=MANY)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        present = self.present()
        count = int(present.sum())
        if self.cliques * self.clique_size > count:
            raise UserError(
                f"{self.cliques} cliques of {self.clique_size} are more than the {count} instances of the data: "
                "lower cliques or clique_size"
            )
        self.make_head(self.cliques)
        self.make_labels(np.full(present.shape, NONE))

    def relabel(self, batches):
        rounds = int(self.rounds.numpy())
        features, present = self.pooled_features(batches)
        self.assign_labels(clusters.cliques(features, self.cliques, self.clique_size, rounds), present)
        self.restart_head()
        self.rounds.assign(rounds + 1)
