"""Cluster assignments as labels to train another network on: the label transfer of SeLa (Asano et al. 2020,
arXiv:1911.05371)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from seqclr.data import depth, tables
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.nn import clusters
from seqclr.nn.policy import kept_policy
from seqclr.probes.base import means_of

LABELS = "labels"  # name of the cluster assignments in a checkpoint, of methods together after that of the method


@kept_policy()
def pseudo_labels(model: str, output: str, data: Sequence[str] = (), count: int | None = None, seed: int = 0) -> int:
    """Writes a CSV file of images with their cluster number as text; returns the number of clusters.

    The clusters are those of the run's first head for its own data. With `count`, k-means clusters the run's features
    of `data` (by default the run's data) into so many. Images of split `test` are left out.

    Raises UserError if an argument, the run or the data are wrong.
    """
    run = Run.open(model)
    config = run.config()
    if data and count is None:
        raise UserError("--data needs the number of clusters to find in it, such as --clusters 10")
    samples = find_unlabelled(data or config.data, None if data else config.split)
    samples = depth.colours_of(samples) if config.channels == 4 else samples
    tables.check_can_write(Path(output), samples)
    found = _of_run(run, len(samples)) if count is None else _of_features(run, config, samples, count, seed)
    labelled = [dataclasses.replace(sample, text=str(label)) for sample, label in zip(samples, found) if label >= 0]
    tables.write(Path(output), labelled)
    return len({sample.text for sample in labelled})


def _of_run(run: Run, count: int) -> np.ndarray:
    path, arrays = run.best()
    labels = next((array for name, array in arrays.items() if _part(name) == LABELS), None)
    if labels is None:
        raise UserError(f"{run.folder} has no clusters of its own: cluster its features, as with --clusters 10")
    if len(labels) != count:
        raise UserError(f"{path} has clusters of {len(labels)} images, and its data are now {count}: use --clusters")
    if labels.shape[1] > 1:
        raise UserError(f"{path} has {labels.shape[1]} clusters per image, one per window: pretrain with frames=all")
    return labels.reshape(count, -1)[:, 0]


def _part(name: str) -> str:
    return name.partition("/")[0].rpartition(".")[2]


def _of_features(run: Run, config, samples: list, count: int, seed: int) -> np.ndarray:
    if not 2 <= count <= len(samples):
        raise UserError(f"clusters {count}: 2 to {len(samples)}, the number of images")
    keras.mixed_precision.set_global_policy("float32")
    dataset = ImageDataset(samples, config.height, config.width, config.resize, channels=config.channels)
    features = means_of(setup.make_encoder(config, run.folder), dataset, "transformer")
    return clusters.k_means(features, count, seed)
