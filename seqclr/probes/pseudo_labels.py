"""Clusters that a method found, as labels for another network: SeLa's label transfer (Asano et al. 2020,
arXiv:1911.05371)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from seqclr.data import tables
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.nn import clusters
from seqclr.nn.policy import kept_policy
from seqclr.probes.rows import means_of

LABELS = "labels/"  # how a checkpoint calls the classes that a method gives its records


@kept_policy()
def pseudo_labels(model: str, output: str, data: Sequence[str] = (), count: int | None = None, seed: int = 0) -> int:
    """Writes a CSV file of images and the number of each one's cluster as its text; returns how many clusters.

    The clusters are those that the run has for its own data, at the first of its heads. With `count`, they are so many
    that k-means finds in the features of `data` (the run's, where none is given) through the run's encoder.
    Images of split `test` are left out. Raises UserError if an argument, the run or the data are wrong.
    """
    run = Run.open(model)
    config = run.config()
    if data and count is None:
        raise UserError("with --data, clusters have to be found in it: say how many, as --clusters 10")
    samples = find_unlabelled(data or config.data, None if data else config.split)
    tables.check_can_write(Path(output), samples)
    found = _of_run(run, len(samples)) if count is None else _of_features(run, config, samples, count, seed)
    labelled = [dataclasses.replace(sample, text=str(label)) for sample, label in zip(samples, found) if label >= 0]
    tables.write(Path(output), labelled)
    return len({sample.text for sample in labelled})


def _of_run(run: Run, count: int) -> np.ndarray:
    path, arrays = run.best()
    labels = next((array for name, array in arrays.items() if name.startswith(LABELS)), None)
    if labels is None:
        raise UserError(f"{run.folder} has no clusters of its own: have some found in its features, as --clusters 10")
    if len(labels) != count:
        raise UserError(f"{path} has clusters of {len(labels)} images, and its data are {count} by now: use --clusters")
    if labels.shape[1] > 1:
        raise UserError(f"{path} has {labels.shape[1]} clusters an image, one a window: pretrain with frames=all")
    return labels.reshape(count, -1)[:, 0]


def _of_features(run: Run, config, samples: list, count: int, seed: int) -> np.ndarray:
    if not 2 <= count <= len(samples):
        raise UserError(f"clusters {count}: 2 to {len(samples)}, as many as there are images")
    keras.mixed_precision.set_global_policy("float32")
    dataset = ImageDataset(samples, config.height, config.width, config.resize)
    features = means_of(setup.make_encoder(config, run.folder), dataset, "transformer")
    return clusters.k_means(features, count, seed)
