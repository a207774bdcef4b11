"""Reading: CTC on the frames, a method like the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from seqclr.config import DEEPEST, key
from seqclr.methods.base import Method, RunInfo
from seqclr.methods.facts import Facts
from seqclr.nn.heads import SLOPE, Head, hidden
from seqclr.nn.momentum import Momentum
from seqclr.nn.norm import BatchNorm
from seqclr.transforms.labelled import Labelled

IMPOSSIBLE = "a text needs more frames than its image has, so raise width, or leave such texts out"


@dataclass(frozen=True)
class ReaderInfo(RunInfo):
    """What CTC and its subclasses may read besides.

    classes: characters and, last, the blank. pretrained: whether the encoder was trained before.
    kept: sizes of the hidden layers of a pretrained projector that stay below the head.
    head_weights: the first arrays of the head's `get_weights()` at the start; the others are new.
    teacher: a recognizer's function of images and widths to logits and mask, for distillation; in no checkpoint.
    """

    classes: int = 0
    pretrained: bool = False
    kept: Sequence[int] = ()
    head_weights: Sequence[np.ndarray] = ()
    teacher: Callable | None = None


@dataclass
class CTC(Method):
    """Graves et al. 2006. The article's recognizer: encoder, a small MLP on every frame, CTC.

    A pretrained encoder may stay frozen for `head_steps`, so that a new head does not spoil it. With `average`, the
    averaged weights are validated, kept as the best and read with.
    """

    transform = Labelled
    facts = Facts(paper="Graves et al. 2006", needs_lines="CTC spells a text over the frames of a line")
    infinite = IMPOSSIBLE
    least_batch = 1  # the frames of one image have statistics

    head_steps: int = key(0, "steps, at most a third of the run, in which a pretrained encoder is frozen", least=0)
    encoder_rate: float = key(1.0, "what part of the learning rate a pretrained encoder gets afterwards", least=0)
    rate_decay: float = key(
        1.0, "and each of its layers towards the image: so much of the rate of the one above", least=0, most=1
    )
    keep_head: int = key(
        0, "hidden layers of a pretrained projector that stay, below the new head; 1 in SimCLRv2", least=0, most=DEEPEST
    )
    norm: str = key(
        "train",
        "batch norm of a pretrained encoder: train, or frozen: its statistics stay",
        choices=("train", "frozen"),
    )
    average: float = key(0.0, "decay of a moving average of the weights, which then reads; 0 for none", least=0, most=1)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        given = self.run.head_weights
        self.head = ctc_head(encoder.dim, self.run.classes, self.run.dropout, self.run.kept)
        self.head.set_weights([*given, *self.head.get_weights()[len(given) :]])
        if self.run.pretrained and self.norm == "frozen":
            for layer in encoder._flatten_layers():  # Keras has no public way to the layers in layers
                if isinstance(layer, BatchNorm):
                    layer.keeps_statistics = True
        self.averaged = Momentum(encoder, self.head, name="averaged") if self.averages() else None

    def result(self):
        return self.averaged

    def averages(self) -> bool:
        return self.average > 0

    def loss(self, batch, training):
        features, mask = self.encoder(batch["image"], batch.get("width"), training=training)
        logits = self.head(features, mask, training=training)
        return {"loss": tf.reduce_mean(ctc_loss(batch["label"], logits, mask))}

    def after_step(self):
        if self.averaged is not None:
            self.averaged.update(self.averaged.ramped(self.average))

    def frozen(self, step):
        alone = min(self.head_steps, self.run.total_steps // 3)
        return frozenset({"encoder"} if self.run.pretrained and step < alone else ())

    def learning_rate_factors(self):
        if not self.run.pretrained:
            return {}
        factors = {"encoder": self.encoder_rate}
        if self.rate_decay != 1:  # the encoder makes its layers in the order that an image goes through them
            for network in getattr(self.encoder, "halves", [self.encoder]):
                layers = [layer for layer in network.layers if layer.weights]
                for depth, layer in enumerate(reversed(layers)):
                    factors[layer.path] = self.encoder_rate * self.rate_decay**depth
        return factors


def ctc_head(dim: int, classes: int, dropout: float, kept: Sequence[int] = ()) -> Head:
    """Logits `float32 [B, T, classes]` of features `[B, T, dim]`; kept: sizes of a projector's layers that come first.

    The blank starts unlikely: from an even start, CTC on small data falls into answering blank everywhere and may
    stay there for many epochs.
    """
    head = Head(
        [
            *hidden(kept),
            keras.layers.Dense(dim, name="dense"),
            keras.layers.LeakyReLU(negative_slope=SLOPE, name="relu"),
            keras.layers.Dropout(dropout, name="dropout"),
            keras.layers.Dense(classes, dtype="float32", name="logits"),
        ],
        name="head",
    )
    head.build((None, None, dim))
    bias = head.layers[-1].bias
    bias.assign(tf.one_hot(classes - 1, classes) * -2.0)
    return head


def ctc_loss(labels: tf.Tensor, logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """`float32 [B]`: minus the log probability of each label.

    labels: `int32 [B, L]`, filled with -1. logits: `[B, T, classes]`, the blank last. mask: `[B, T]`, the frames that
    show image (the first so many).
    """
    frames = tf.shape(logits)[1]
    lengths = tf.repeat(frames, tf.shape(logits)[0]) if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), 1)
    sparse = tf.SparseTensor(
        tf.where(labels >= 0), tf.boolean_mask(labels, labels >= 0), tf.shape(labels, out_type=tf.int64)
    )
    return tf.nn.ctc_loss(
        sparse,
        tf.cast(logits, tf.float32),
        label_length=None,
        logit_length=lengths,
        logits_time_major=False,
        blank_index=-1,
    )
