"""The CTC probe: texts predicted by a dense layer on the frames of a frozen encoder.

The features are computed once, and the layer is trained on them with the CTC loss. It takes seconds, and measures a
pretraining better than the loss of the pretraining does.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from seqclr.data.charset import Charset
from seqclr.data.samples import Sample
from seqclr.methods.text.ctc import ctc_loss
from seqclr.nn import decode
from seqclr.probes.base import BATCH, Frames, Probe, frames_of
from seqclr.probes.head import STEPS, LinearHead
from seqclr.recognition.evaluate import compute_metrics, table
from seqclr.recognition.targets import check_lengths


class CTCProbe(Probe):
    """A dense layer on every frame, decoded greedily.

    The charset is that of all labels; a character without training samples is never predicted.
    Raises UserError also where an image has too few frames for its label.
    """

    kind = "ctc"
    options = ("steps",)
    metrics = ("edit_distance_accuracy", "exact_match")
    steps = STEPS

    def __init__(self, train: list[Sample], held: list[Sample], config, **options):
        super().__init__(train, held, config, **options)
        self.charset = Charset.of(sample.text for sample in [*train, *held])
        targets, self.texts = ([self.charset.target(sample.text) for sample in part] for part in (train, held))
        check_lengths(self.train, targets)
        self.labels = [self.charset.encode(target) for target in targets]

    def train_head(self, encoder: keras.Model, layer: str, seed: int = 0) -> LinearCTC:
        """A new head, trained on the encoder's features."""
        head = LinearCTC(encoder.dim, len(self.charset) + 1, seed)
        head.fit(frames_of(encoder, self.train, layer), self.labels, self.steps)
        return head

    def predict(self, encoder, layer, seed=0):
        head = self.train_head(encoder, layer, seed)
        return [self.charset.decode(ids) for ids in head.predict(frames_of(encoder, self.held, layer))]

    def evaluate(self, predictions):
        return compute_metrics(self.held.samples, self.texts, predictions)

    def table(self, figures):
        return table(figures)


class LinearCTC(LinearHead):
    """A linear head trained with the CTC loss. outputs: number of characters and, last, the blank."""

    def __init__(self, dim: int, outputs: int, seed: int = 0):
        super().__init__(dim, outputs, seed)
        self.blank = outputs - 1
        self.dense.bias.assign(tf.one_hot(self.blank, outputs) * -2.0)  # unlikely at first, as in ctc_head

    def fit(self, frames: Frames, labels: Sequence[Sequence[int]], steps: int = STEPS) -> None:
        """Trains on frames and the ids of N labels. Features are standardised by the frames without padding."""
        padded, shown = tf.ragged.constant(labels, tf.int32).to_tensor(-1), tf.constant(frames.shown)

        def loss(logits, rows):
            return tf.reduce_mean(ctc_loss(tf.gather(padded, rows), logits, tf.gather(shown, rows)))

        self.train(frames.features, frames.features[frames.shown], loss, steps)

    def predict(self, frames: Frames) -> list[list[int]]:
        """The predicted ids of each image, decoded greedily."""
        predictions = []
        for start in range(0, len(frames.features), BATCH):
            features, shown = (part[start : start + BATCH] for part in frames)
            ids = decode.greedy(self.logits(features), shown)
            predictions += [[i for i in row if i != self.blank] for row in ids.numpy().tolist()]
        return predictions

    def align(self, frames: Frames) -> np.ndarray:
        """The most probable id of every frame, the blank included, `int [N, T]`."""
        return np.argmax(self.logits(frames.features), axis=-1)
