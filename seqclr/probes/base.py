"""The base class of probes, and the features of a frozen encoder."""

from __future__ import annotations

import abc
import random
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from seqclr.data import loader
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import exclude
from seqclr.data.samples import HELD_OUT, Sample, by_source, evaluation_samples
from seqclr.errors import UserError

BATCH = 64
TEST_FRACTION = 0.2  # of the samples of a source without split test or validation


def train_test_split(samples: list[Sample], seed: int, by_split: bool = True) -> tuple[list[Sample], list[Sample]]:
    """Training and evaluation samples of a probe.

    Evaluation, per source: its rows of split `test`, else of `validation`; else, or without `by_split`, a random fifth.
    Rows of both splits are never trained on with `by_split`.
    """
    draw = random.Random(seed)
    train, held = [], []
    for group in by_source(samples).values():
        free = [sample for sample in group if not (by_split and sample.split in HELD_OUT)]
        chosen = evaluation_samples(group) if len(free) < len(group) else []
        if not chosen:
            free = draw.sample(free, len(free))
            count = min(len(free) - 1, max(1, round(len(free) * TEST_FRACTION)))
            chosen, free = free[:count], free[count:]
        train += free
        held += chosen
    return exclude(train, held), held


class Frames(NamedTuple):
    """Features `float32 [N, T, D]`, and the mask `bool [N, T]` of frames that are not padding."""

    features: np.ndarray
    shown: np.ndarray


def frames_of(encoder: keras.Model, dataset: ImageDataset, layer: str) -> Frames:
    """The features of all images, in the encoder's precision and in inference mode, which changes no weights."""
    return Frames(*(np.concatenate(part) for part in zip(*_encoded(encoder, dataset, layer))))


def means_of(encoder: keras.Model, dataset: ImageDataset, layer: str) -> np.ndarray:
    """The mean of each image's frames without padding, `float32 [N, D]`."""
    batches = _encoded(encoder, dataset, layer)
    return np.concatenate([np.stack([x[shown].mean(0) for x, shown in zip(*frames)]) for frames in batches])


def _encoded(encoder: keras.Model, dataset: ImageDataset, layer: str) -> Iterator[Frames]:
    """The features, batch by batch."""

    @tf.function(reduce_retracing=True)
    def encode(pixels, widths):
        features, shown = encoder(pixels, widths, training=False, layer=layer)
        return tf.cast(features, tf.float32), tf.ones(tf.shape(features)[:2], tf.bool) if shown is None else shown

    for batch in loader.InOrder(dataset, BATCH):
        features, shown = encode(tf.constant(batch["image"]), tf.constant(batch["width"]) if "width" in batch else None)
        yield Frames(features.numpy(), shown.numpy())


class Probe(abc.ABC):
    """A classifier trained on frozen features of some labelled images and evaluated on others.

    train, held: samples for training and for evaluation. config: of the run, for height, width and resize. options:
    values of the attributes that `options` names; they have defaults.

    Raises UserError where there are too few samples.
    """

    kind: ClassVar[str]
    options: ClassVar[tuple[str, ...]]
    metrics: ClassVar[tuple[str, ...]]  # logged during pretraining; the first one chooses the best checkpoint

    def __init__(self, train: list[Sample], held: list[Sample], config, **options):
        if not train or not held:
            raise UserError(
                f"too few labels for a probe: {len(train)} for training and {len(held)} for evaluation; both need at "
                "least one, and rows of split test are for evaluation only"
            )
        for name, value in options.items():
            setattr(self, name, value)
        self.train, self.held = (
            ImageDataset(part, config.height, config.width, config.resize, channels=config.channels)
            for part in (train, held)
        )

    @abc.abstractmethod
    def predict(self, encoder: keras.Model, layer: str, seed: int = 0) -> list[str]:
        """Trains the classifier on the features of `layer`, and returns its predictions for the evaluation samples."""

    @abc.abstractmethod
    def evaluate(self, predictions: Sequence[str]) -> dict:
        """All metrics of predictions, over all samples and per source."""

    @abc.abstractmethod
    def table(self, figures: dict) -> str:
        """The metrics as text."""
