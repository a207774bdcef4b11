"""Clustering of the features of a data set: NumPy arrays in, a class per row out."""

from __future__ import annotations

import numpy as np

ABSORBED = 20  # iterations of Sinkhorn-Knopp, in which factors grow by no more than the number of rows each


def k_means(features: np.ndarray, count: int, seed: int, dimensions: int = 256) -> np.ndarray:
    """k-means clusters `int32 [N]` of rows `[N, D]`, whitened by PCA to at most `dimensions` and normalized.

    20 iterations; an empty cluster is restarted at the row that is farthest from its centre.
    Caron et al. 2018 (DeepCluster), arXiv:1807.05520.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import normalize

    components = min(dimensions, *features.shape)
    rows = normalize(PCA(components, whiten=True, random_state=seed).fit_transform(features.astype(np.float64)))
    return KMeans(count, n_init=1, max_iter=20, random_state=seed).fit(rows).labels_.astype(np.int32)


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Normalised mutual information of two labellings of the same rows: 1 if they are the same up to names."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(first, second))


def sized_classes(
    log_probabilities: np.ndarray,
    shares: np.ndarray | None = None,
    sharpness: float = 25.0,
    balance: float | None = None,
    tolerance: float = 0.1,
) -> np.ndarray:
    """The most likely assignment to classes of about the given sizes, `int32 [N]`.

    log_probabilities: `[N, K]`. shares: `[K]`, the sizes, which sum to 1; None: equal. Sinkhorn-Knopp on
    `P ** sharpness` until the column factors change by no more than `tolerance` in all. Asano et al. 2020 (SeLa),
    arXiv:1911.05371. `P ** 25` underflows, so the factors are absorbed into the matrix, as logarithms, before they
    diverge (Schmitzer 2019, arXiv:1610.06519).

    balance: None: sizes are the shares. Else they may differ: `balance` is the weight of their KL divergence from the
    shares against the mean log probability (unbalanced transport; for classes of unknown sizes in Zhang et al. 2024,
    arXiv:2401.09266). A class of `e` times its share is worth 1 / balance of log probability to each row there.
    """
    scores = sharpness * log_probabilities.astype(np.float64)
    rows, classes = scores.shape
    shares = np.log(np.full(classes, 1 / classes) if shares is None else shares)
    power = 1.0 if balance is None else balance * sharpness / (1 + balance * sharpness)
    scores -= scores.max(1, keepdims=True)  # so that no row and no column underflows entirely
    absorbed = -scores.max(0)
    scores += absorbed
    change = np.inf
    while change > tolerance:
        matrix, per_class = np.exp(scores), np.ones(classes)
        for _ in range(ABSORBED):
            per_row = 1 / (rows * (matrix @ per_class))
            last = per_class
            per_class = np.exp(power * (shares - np.log(per_row @ matrix) + absorbed) - absorbed)
            change = np.abs(last / per_class - 1).sum()
            if change <= tolerance:
                break
        scores += np.log(per_row)[:, None] + np.log(per_class)
        absorbed = absorbed + np.log(per_class)
    return np.argmax(scores, axis=1).astype(np.int32)


def cliques(features: np.ndarray, count: int, size: int, seed: int) -> np.ndarray:
    """At most `count` cliques of `size` similar rows, `int32 [N]`, -1 for rows in none.

    Candidates are rows with their nearest `size - 1`; the most compact by mean cosine are taken first, and none that
    shares a row with a clique already taken, so that cliques are of different neighbourhoods. After Bautista et al.
    2016 (CliqueCNN), arXiv:1608.08792, whose assignment problem is solved greedily here.
    """
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import normalize

    rows = normalize(features.astype(np.float32) - features.mean(0, dtype=np.float32))
    draw = np.random.default_rng(seed)
    seeds = draw.permutation(len(rows))[: 4 * count]  # candidates
    distances, near = NearestNeighbors(n_neighbors=size).fit(rows).kneighbors(rows[seeds])
    labels = np.full(len(rows), -1, np.int32)
    found = 0
    for members in near[np.argsort(distances.mean(1), kind="stable")]:
        if found < count and (labels[members] < 0).all():
            labels[members] = found
            found += 1
    return labels
