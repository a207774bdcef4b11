"""Classes that nobody named, found in the features of a whole data set: NumPy arrays in, a class per row out."""

from __future__ import annotations

import numpy as np

ABSORBED = 20  # iterations of Sinkhorn-Knopp, in which factors grow by no more than the number of rows each


def k_means(features: np.ndarray, count: int, seed: int, dimensions: int = 256) -> np.ndarray:
    """`int32 [N]`: clusters of rows `[N, D]` that are whitened by PCA to at most so many dimensions and then unit.

    20 iterations; a cluster that runs empty starts anew at the row that is farthest from its own.
    Caron et al. 2018 (DeepCluster), arXiv:1807.05520.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import normalize

    components = min(dimensions, *features.shape)
    rows = normalize(PCA(components, whiten=True, random_state=seed).fit_transform(features.astype(np.float64)))
    return KMeans(count, n_init=1, max_iter=20, random_state=seed).fit(rows).labels_.astype(np.int32)


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Normalised mutual information of two labellings of the same rows: 1 if they differ in nothing but names."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(first, second))


def equal_classes(log_probabilities: np.ndarray, sharpness: float = 25.0, tolerance: float = 0.1) -> np.ndarray:
    """`int32 [N]`: the most likely classes of which each has about as many rows as the others.

    log_probabilities: `[N, K]`. Sinkhorn-Knopp on `P ** sharpness` until the column factors change by no more than
    `tolerance` in all. Asano et al. 2020 (SeLa), arXiv:1911.05371. `P ** 25` underflows, so what the factors have come
    to is taken into the matrix, as logarithms, before they can grow apart (Schmitzer 2019, arXiv:1610.06519).
    """
    scores = sharpness * log_probabilities.astype(np.float64)
    for axis in (1, 0):
        scores -= scores.max(axis, keepdims=True)  # now no row and no column underflows as a whole
    rows, classes = scores.shape
    change = np.inf
    while change > tolerance:
        matrix, per_class = np.exp(scores), np.ones(classes)
        for _ in range(ABSORBED):
            per_row = 1 / (rows * (matrix @ per_class))
            last, per_class = per_class, 1 / (classes * (per_row @ matrix))
            change = np.abs(last / per_class - 1).sum()
            if change <= tolerance:
                break
        scores += np.log(per_row)[:, None] + np.log(per_class)
    return np.argmax(scores, axis=1).astype(np.int32)


def cliques(features: np.ndarray, count: int, size: int, seed: int) -> np.ndarray:
    """`int32 [N]`: at most `count` cliques of `size` rows that are alike, -1 for rows in none.

    Compact ones first: of all rows with their nearest `size - 1`, by mean cosine, those that share no row with one
    that was taken. Unlike rows come apart by that, as each clique takes its neighbourhood with it. After Bautista et
    al. 2016 (CliqueCNN), arXiv:1608.08792, whose assignment problem is solved greedily here.
    """
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import normalize

    rows = normalize(features.astype(np.float32) - features.mean(0, dtype=np.float32))
    draw = np.random.default_rng(seed)
    seeds = draw.permutation(len(rows))[: 4 * count]  # candidates, of which the better ones are taken
    distances, near = NearestNeighbors(n_neighbors=size).fit(rows).kneighbors(rows[seeds])
    labels = np.full(len(rows), -1, np.int32)
    found = 0
    for members in near[np.argsort(distances.mean(1), kind="stable")]:
        if found < count and (labels[members] < 0).all():
            labels[members] = found
            found += 1
    return labels
