"""What methods share that classify instances by classes which nobody named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.methods.base import FrameMethod
from seqclr.methods.facts import Facts
from seqclr.nn.norm import batch_norm
from seqclr.nn.replicas import gather
from seqclr.transforms.two_views import OneView

NONE = -1  # the class of an instance that has none


def check_classes(name: str, classes: int, count: int) -> None:
    """Raises UserError for more classes than instances."""
    if not 2 <= classes <= count:
        raise UserError(f"{name} {classes}: 2 to {count}, as many as there are instances")


@dataclass
class Surrogate(FrameMethod):
    """One view of every image; each of its instances is told from those of other classes, by standardised features.

    `labels: int32 [records, windows]`, or `[records, windows, heads]` of several heads, is in the checkpoint. Windows
    that a record does not have, as its line is padded, are no instances and have no class.
    """

    facts = Facts(negatives="other classes", stores="a class for every instance")
    transform = OneView
    heads = 1
    image_count = 0

    def records(self, dataset):
        if dataset.resize == "pad":
            self.filled = dataset.filled()
        return dataset

    def prepare(self, samples):
        self.image_count = len(samples)

    def present(self) -> np.ndarray:
        """Which windows each record has, `bool [records, windows]`."""
        windows = self.windows()
        if self.filled is None:
            return np.ones((self.image_count, windows), bool)
        return np.arange(windows) < self.window_counts()[:, None]

    def make_head(self, classes: int) -> None:
        self.classes = classes
        self.norm = batch_norm("norm", center=False, scale=False)  # those of an untrained encoder are nearly alike
        self.norm.build((None, None, self.encoder.dim))
        self.head = keras.layers.Dense(self.heads * classes, dtype="float32", name="head")
        self.head.build((None, None, self.encoder.dim))

    def make_labels(self, labels: np.ndarray) -> None:
        """labels: as they are at first."""
        self.labels = keras.Variable(labels.astype(np.int32), trainable=False, dtype="int32", name="labels")

    def classify(self, batch: dict[str, tf.Tensor], training: bool):
        """Log probabilities `float32 [B, N, heads, classes]`, and which instances the view shows, `[B, N]` or None."""
        features, mask = self.encode(batch, training)
        pooled, valid = self.pool(features, batch, mask)
        logits = self.head(self.norm(pooled, valid, training=training), training=training)
        return tf.nn.log_softmax(tf.reshape(logits, [-1, logits.shape[1], self.heads, self.classes])), valid

    def loss(self, batch, training):
        scores, valid = self.classify(batch, training)
        labels = tf.reshape(tf.gather(self.labels.value, batch["index"]), tf.shape(scores)[:-1])
        weights = self.weights(labels) * tf.cast(labels != NONE, tf.float32)
        if valid is not None:
            weights *= tf.cast(valid, tf.float32)[..., None]
        errors = -tf.gather(scores, tf.maximum(labels, 0), batch_dims=3)
        right = tf.cast(tf.argmax(scores, -1, tf.int32) == labels, tf.float32)
        errors, right, weights = (gather(tf.reshape(x, [-1])) for x in (errors, right, weights))
        total = tf.maximum(tf.reduce_sum(weights), 1e-6)
        return {"loss": tf.reduce_sum(errors * weights) / total, "accuracy": tf.reduce_sum(right * weights) / total}

    def weights(self, labels: tf.Tensor) -> tf.Tensor:
        """What an instance of these labels counts."""
        return tf.ones_like(labels, tf.float32)


class Relabelled(Surrogate):
    """Classes that are found anew in the features of the whole set, before every pass over it."""

    def make_labels(self, labels):
        super().make_labels(labels)
        self.rounds = keras.Variable(0, trainable=False, dtype="int32", name="rounds")

    def relabels(self, step):
        return step % self.run.steps_per_epoch == 0

    def phase(self, step):
        return self.frozen(step), step // self.run.steps_per_epoch

    def restart_head(self) -> None:
        """Class 5 of now is not class 5 of before; its moments in the optimizer stay."""
        draw = np.random.default_rng(int(self.rounds.numpy()))
        self.head.kernel.assign(draw.normal(0, 0.01, self.head.kernel.shape))
        self.head.bias.assign(np.zeros(self.head.bias.shape))

    def assign_labels(self, found: np.ndarray, present: np.ndarray) -> None:
        """found: a class, or one of each head, for every window that there is, which is where `present` holds."""
        labels = np.full(self.labels.shape, NONE, np.int32)
        labels[present] = found
        self.labels.assign(labels)

    def whole_set(self, batches: Iterable[dict], function: Callable) -> tuple[np.ndarray, np.ndarray]:
        """What a function of a batch, as a transform would have made it, gives for the windows of the whole set,
        `[records, windows, ...]`, and which of these there are, `bool [records, windows]`."""

        def both(batch):
            x, valid = function(batch)
            return x, tf.ones(tf.shape(x)[:2], tf.bool) if valid is None else valid

        compiled = tf.function(both, reduce_retracing=True)
        rows = []
        for batch in batches:
            example = {name: tf.constant(value) for name, value in batch.items() if name != "image"}
            example["views"] = tf.constant(batch["image"][:, None])
            example["geometry"] = tf.tile(tf.constant([[[1.0, 0.0, 1.0, 0.0]]]), [len(batch["image"]), 1, 1])
            rows.append([x.numpy() for x in compiled(example)])
        return tuple(map(np.concatenate, zip(*rows)))

    def pooled_features(self, batches: Iterable[dict]) -> tuple[np.ndarray, np.ndarray]:
        """Of all windows that there are `float32 [M, D]`, without the mean of each: the place alone would be a cluster.
        And which of the set's they are, `bool [records, windows]`."""

        def pooled(batch):
            features, mask = self.encode(batch, training=False)
            return self.pool(features, batch, mask)

        features, present = self.whole_set(batches, pooled)
        mean = features.sum(axis=0, where=present[..., None]) / np.maximum(present.sum(axis=0), 1)[:, None]
        return (features - mean)[present], present
