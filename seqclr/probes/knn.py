"""The k-NN probe of classes; it has no trained parameters."""

from __future__ import annotations

import numpy as np

from seqclr.probes.classes import ClassProbe

CHUNK = 256  # images at once


class KNNProbe(ClassProbe):
    """Weighted k-NN, as in InstDisc (Wu et al. 2018, arXiv:1805.01978) and DINO (Caron et al. 2021, arXiv:2104.14294):
    each of the k nearest neighbours by cosine votes with weight exp(cosine / temperature)."""

    kind = "knn"
    options = ("k", "temperature")
    k, temperature = 200, 0.07

    def classify(self, train, held, seed):
        train, held = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (train, held))
        k = min(self.k, len(train))
        return np.concatenate(
            [self._vote(held[start : start + CHUNK] @ train.T, k) for start in range(0, len(held), CHUNK)]
        )

    def _vote(self, cosine: np.ndarray, k: int) -> np.ndarray:
        """The classes of M images by their cosines to the N training images, `[M, N]`."""
        nearest = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(cosine, nearest, axis=1)
        weights = np.exp((near - near.max(1, keepdims=True)) / self.temperature)
        votes = np.zeros((len(cosine), len(self.classes)), np.float32)
        np.add.at(votes, (np.arange(len(cosine))[:, None], self.labels[nearest]), weights)
        return votes.argmax(1)
