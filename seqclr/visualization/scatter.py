"""Scatter plots of embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from seqclr import files
from seqclr.visualization.predictions import plain


def t_sne(features: np.ndarray, seed: int) -> np.ndarray:
    """Features `[M, D]` as points `[M, 2]` by t-SNE with cosine distance (van der Maaten & Hinton 2008)."""
    perplexity = min(30, (len(features) - 1) / 3)
    with threadpool_limits(1):  # several threads wait for each other, on a busy machine for minutes
        return TSNE(perplexity=perplexity, metric="cosine", random_state=seed).fit_transform(features)


def scatter(points: np.ndarray, names: np.ndarray, title: str, target: Path) -> None:
    """Draws points `[M, 2]` as a PNG, with a colour for each of their names and a legend."""
    known = np.unique(names)
    colours = colormaps["tab10" if len(known) <= 10 else "tab20" if len(known) <= 20 else "gist_rainbow"]
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots()
    for i, name in enumerate(known):
        colour = colours(i if len(known) <= 20 else i / len(known))
        axes.scatter(*points[names == name].T, s=8, color=colour, label=plain(name))
    axes.set(title=plain(title), xticks=[], yticks=[])
    figure.legend(loc="outside right upper", ncols=-(-len(known) // 30), fontsize=8, markerscale=2)
    with files.atomic_write(target, binary=True) as stream:
        figure.savefig(stream, dpi=100, format="png")
