"""Text recognition with CTC on the frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from seqclr.config import DEEPEST, key
from seqclr.data.charset import Charset
from seqclr.methods.base import Method, RunInfo
from seqclr.methods.facts import Facts
from seqclr.nn.heads import SLOPE, Head, hidden
from seqclr.nn.momentum import Momentum
from seqclr.nn.norm import BatchNorm
from seqclr.transforms.labelled import Labelled

IMPOSSIBLE = "a text needs more frames than its image has: raise width, or leave such texts out"


@dataclass(frozen=True)
class ReaderInfo(RunInfo):
    """What CTC and its subclasses may read of a fine-tuning run besides.

    classes: number of characters plus 1 for the blank, the last. charset: those characters. pretrained: whether the
    encoder was pretrained.
    kept: sizes of the hidden layers of a pretrained projector that are kept below the head.
    lengths: those that texts have; None: any.
    labels: of each record the ids of its text, empty where it is not known. sources: of each record.
    teacher: a recognizer's function of images and widths to logits and mask, for distillation; not in checkpoints.
    """

    classes: int = 0
    charset: Charset | None = None
    pretrained: bool = False
    kept: Sequence[int] = ()
    lengths: Sequence[int] | None = None
    labels: Sequence[Sequence[int]] = ()
    sources: Sequence[str] = ()
    teacher: Callable | None = None


@dataclass
class CTC(Method):
    """The article's recognizer: encoder, a small MLP on every frame, CTC (Graves et al. 2006).

    A pretrained encoder may be frozen for `head_steps`, so that gradients from a new head do not damage it. With
    `average`, the averaged weights are validated, kept as the best and used for prediction.
    """

    transform = Labelled
    facts = Facts(paper="Graves et al. 2006", needs_lines="CTC spells a text over the frames of a line")
    infinite = IMPOSSIBLE
    least_batch = 1  # the frames of one image suffice for batch statistics

    head_steps: int = key(0, "initial steps with a frozen pretrained encoder, at most a third of the run", least=0)
    encoder_rate: float = key(
        1.0, "learning rate of a pretrained encoder after head_steps, as a factor of the common one", least=0
    )
    rate_decay: float = key(
        1.0,
        "factor of a pretrained encoder's learning rate from each layer to the one below",
        least=0,
        most=1,
    )
    keep_head: int = key(
        0, "hidden layers of a pretrained projector kept below the new head; 1 in SimCLRv2", least=0, most=DEEPEST
    )
    norm: str = key(
        "train",
        "batch norm of a pretrained encoder: train, or frozen (constant statistics)",
        choices=("train", "frozen"),
    )
    average: float = key(
        0.0, "EMA decay of the weights that are used for prediction; 0 for no average", least=0, most=1
    )

    def build(self, encoder, run=None):
        super().build(encoder, run)
        given = self.run.head_weights
        self.head = ctc_head(encoder.dim, self.run.classes, self.run.dropout, self.run.kept)
        self.head.set_weights([*given, *self.head.get_weights()[len(given) :]])
        if self.run.pretrained and self.norm == "frozen":
            for layer in encoder._flatten_layers():  # Keras has no public access to nested layers
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
        if self.rate_decay != 1:  # the encoder's layers are in the order of the forward pass
            for network in getattr(self.encoder, "halves", [self.encoder]):
                layers = [layer for layer in network.layers if layer.weights]
                for depth, layer in enumerate(reversed(layers)):
                    factors[layer.path] = self.encoder_rate * self.rate_decay**depth
        return factors


def ctc_head(dim: int, classes: int, dropout: float, kept: Sequence[int] = ()) -> Head:
    """A head from features `[B, T, dim]` to logits `float32 [B, T, classes]`; kept: layer sizes of a projector below.

    The initial bias of the blank is -2: from equal probabilities, CTC on small data collapses to blanks only and may
    not recover for many epochs.
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

    labels: `int32 [B, L]`, filled with -1. logits: `[B, T, classes]`, the blank last. mask: `[B, T]`, the frames
    that are no padding, which come first.
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
