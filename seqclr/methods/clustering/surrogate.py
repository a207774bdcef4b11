"""Methods that classify instances into surrogate classes."""

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

NONE = -1  # the label of an instance without a class


def check_classes(name: str, classes: int, count: int) -> None:
    """Raises UserError for more classes than instances."""
    if not 2 <= classes <= count:
        raise UserError(f"{name} {classes}: 2 to {count}, the number of instances")


@dataclass
class Surrogate(FrameMethod):
    """Classification of the instances of one view of every image, from standardised features.

    `labels: int32 [records, windows]`, or `[records, windows, heads]` of several heads, is in the checkpoint. Windows
    in the padding of a line are not instances and have no class.
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
        """The windows that are instances, `bool [records, windows]`."""
        windows = self.windows()
        if self.filled is None:
            return np.ones((self.image_count, windows), bool)
        return np.arange(windows) < self.window_counts()[:, None]

    def make_head(self, classes: int) -> None:
        self.classes = classes
        self.norm = batch_norm(
            "norm", center=False, scale=False
        )  # features of an untrained encoder are nearly identical
        self.norm.build((None, None, self.encoder.dim))
        self.head = keras.layers.Dense(self.heads * classes, dtype="float32", name="head")
        self.head.build((None, None, self.encoder.dim))

    def make_labels(self, labels: np.ndarray) -> None:
        """labels: the initial ones."""
        self.labels = keras.Variable(labels.astype(np.int32), trainable=False, dtype="int32", name="labels")

    def classify(self, batch: dict[str, tf.Tensor], training: bool):
        """Log probabilities `float32 [B, N, heads, classes]`, and which instances are visible, `[B, N]` or None."""
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
        """Weights in the loss of instances with these labels."""
        return tf.ones_like(labels, tf.float32)


class Relabelled(Surrogate):
    """Classes that are recomputed from the features of all records, before every pass over them."""

    def make_labels(self, labels):
        super().make_labels(labels)
        self.rounds = keras.Variable(0, trainable=False, dtype="int32", name="rounds")

    def relabels(self, step):
        return step % self.run.steps_per_epoch == 0

    def phase(self, step):
        return self.frozen(step), step // self.run.steps_per_epoch

    def restart_head(self) -> None:
        """Reinitialises the classifier, as new classes have new meanings; the optimizer's moments are kept."""
        draw = np.random.default_rng(int(self.rounds.numpy()))
        self.head.kernel.assign(draw.normal(0, 0.01, self.head.kernel.shape))
        self.head.bias.assign(np.zeros(self.head.bias.shape))

    def assign_labels(self, found: np.ndarray, present: np.ndarray) -> None:
        """found: the class, or one for each head, of every window where `present` holds."""
        labels = np.full(self.labels.shape, NONE, np.int32)
        labels[present] = found
        self.labels.assign(labels)

    def whole_set(self, batches: Iterable[dict], function: Callable) -> tuple[np.ndarray, np.ndarray]:
        """Applies a function of a batch of examples to all records without augmentation.

        Returns its values `[records, windows, ...]`, and which windows are instances, `bool [records, windows]`.
        """

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
        """Features `float32 [M, D]` of all instances, and which windows they are, `bool [records, windows]`.

        The mean at each position is subtracted; otherwise positions would be clusters.
        """

        def pooled(batch):
            features, mask = self.encode(batch, training=False)
            return self.pool(features, batch, mask)

        features, present = self.whole_set(batches, pooled)
        mean = features.sum(axis=0, where=present[..., None]) / np.maximum(present.sum(axis=0), 1)[:, None]
        return (features - mean)[present], present
