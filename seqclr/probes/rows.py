"""What probes share: labelled rows, and the features that a frozen encoder has for them."""

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
READ = 0.2  # of the rows of a source that has no split test or validation


def divide(samples: list[Sample], seed: int, by_split: bool = True) -> tuple[list[Sample], list[Sample]]:
    """Rows to learn on and rows to read: of every source its rows of split `test`, or else of `validation`, neither of
    which is learnt on; or else, or without `by_split`, a fifth, drawn by the seed."""
    draw = random.Random(seed)
    train, held = [], []
    for group in by_source(samples).values():
        free = [sample for sample in group if not (by_split and sample.split in HELD_OUT)]
        read = evaluation_samples(group) if len(free) < len(group) else []
        if not read:
            free = draw.sample(free, len(free))
            count = min(len(free) - 1, max(1, round(len(free) * READ)))
            read, free = free[:count], free[count:]
        train += free
        held += read
    return exclude(train, held), held


class Frames(NamedTuple):
    """Features `float32 [N, T, D]`, and which frames show image, `bool [N, T]`."""

    features: np.ndarray
    shown: np.ndarray


def frames_of(encoder: keras.Model, dataset: ImageDataset, layer: str) -> Frames:
    """The features of all images, in the precision that the encoder has and in inference mode: nothing in it moves."""
    return Frames(*(np.concatenate(part) for part in zip(*_encoded(encoder, dataset, layer))))


def means_of(encoder: keras.Model, dataset: ImageDataset, layer: str) -> np.ndarray:
    """The mean of the frames of every image that show it, `float32 [N, D]`."""
    batches = _encoded(encoder, dataset, layer)
    return np.concatenate([np.stack([x[seen].mean(0) for x, seen in zip(*frames)]) for frames in batches])


def _encoded(encoder: keras.Model, dataset: ImageDataset, layer: str) -> Iterator[Frames]:
    """The features of a batch after the other."""

    @tf.function(reduce_retracing=True)
    def encode(pixels, widths):
        features, shown = encoder(pixels, widths, training=False, layer=layer)
        return tf.cast(features, tf.float32), tf.ones(tf.shape(features)[:2], tf.bool) if shown is None else shown

    for batch in loader.in_order(dataset, BATCH):
        features, shown = encode(tf.constant(batch["image"]), tf.constant(batch["width"]) if "width" in batch else None)
        yield Frames(features.numpy(), shown.numpy())


class Probe(abc.ABC):
    """Labelled images fitted to an encoder: some to learn on, some to be read.

    config: of the run, for height, width and resize. options: values for what `options` names, attributes that have
    defaults. Raises UserError where there are too few rows, or a label is empty.
    """

    kind: ClassVar[str]
    options: ClassVar[tuple[str, ...]]
    measures: ClassVar[tuple[str, ...]]  # what is told during a pretraining; the first chooses the checkpoint

    def __init__(self, train: list[Sample], held: list[Sample], config, **options):
        empty = [sample for sample in [*train, *held] if not sample.text]
        if empty:
            raise UserError(f"{empty[0].name} has an empty label ({len(empty)} have): label it or leave it out")
        if not train or not held:
            raise UserError(
                f"too few labels to probe with: {len(train)} to learn on and {len(held)} to read; at least one each is "
                "needed, and rows of split test are only read"
            )
        for name, value in options.items():
            setattr(self, name, value)
        self.train, self.held = (
            ImageDataset(part, config.height, config.width, config.resize) for part in (train, held)
        )

    @abc.abstractmethod
    def read(self, encoder: keras.Model, layer: str, seed: int = 0) -> list[str]:
        """What the images to be read are taken for, by what is learned on the features of the others."""

    @abc.abstractmethod
    def measure(self, reads: Sequence[str]) -> dict:
        """All measures of what was read, in all and per source."""

    @abc.abstractmethod
    def table(self, figures: dict) -> str:
        """The measures, for people."""
