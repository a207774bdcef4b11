"""Auxiliary losses on generated images: targets beside the text that the generator knows."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf
from keras import layers

from seqclr.nn import frames, reversal
from seqclr.nn.boxes import OUTPUTS, box_loss
from seqclr.nn.heads import mlp

BETWEEN, UNKNOWN = -1, -2  # classes of frames without a character
ALIGNED = 2  # the weight of the alignment is 0 after a half of the run


class GeneratorHeads(keras.layers.Layer):
    """Heads for those of these losses whose weight is above 0. Their targets come from transforms/generated.py.

    alignment: the character at every frame, predicted by the CTC head; its weight falls to 0 within half of the run,
    as CTC aligns better then. From random weights, CTC alone predicts blanks for long.
    boxes: character boxes, predicted by every frame (nn/boxes.py). styles: font, background and text colour, predicted
    by the mean frame: two cross-entropies and a mean squared error of channels from 0 to 1.
    domain: whether an image is generated or of the run, predicted by the mean frame through a reversed gradient, so
    that the encoder learns features that do not separate the two (nn/reversal.py).

    kinds: the numbers of fonts and backgrounds.
    """

    def __init__(self, weights: dict[str, float], kinds: tuple[int, int], encoder: keras.Model):
        super().__init__(name="page_heads")
        self.loss_weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.sizes, self.stride, self.height = (*kinds, 3), encoder.STRIDE, encoder.height
        self.steps = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="steps")
        if "boxes" in self.loss_weights:
            self.boxes = layers.Dense(OUTPUTS, dtype="float32", name="boxes")
            self.boxes.build((None, None, encoder.dim))
        if "styles" in self.loss_weights:
            self.styles = layers.Dense(sum(self.sizes), dtype="float32", name="styles")
            self.styles.build((None, encoder.dim))
        if "domain" in self.loss_weights:
            self.domain = mlp((encoder.dim, 1), "domain", input_dim=encoder.dim, norm=False)
        self.built = True

    def figures(
        self, features: tf.Tensor, mask, facts: dict[str, tf.Tensor], done: tf.Tensor, head: Callable
    ) -> dict[str, tf.Tensor]:
        """The losses by name of frames `[N + M, T, D]`: N generated images, followed by M images of the run.

        mask: `bool [N + M, T]`, frames that are no padding (None: all). facts: the targets, N rows each. done: the
        fraction of the run that has passed. head: from frames and their mask to CTC logits.
        """
        features, count, figures = tf.cast(features, tf.float32), tf.shape(facts["boxes"])[0], {}
        mean = frames.pool(features, "all", mask)[0][:, 0]
        if "alignment" in self.loss_weights:
            classes = frame_classes(facts["label"], facts["boxes"], features.shape[1], self.stride)
            shown = None if mask is None else mask[:count]
            figures["alignment"] = alignment_loss(head(features[:count], shown), classes, shown)
        if "boxes" in self.loss_weights:
            shown = None if mask is None else mask[:count]
            predicted = self.boxes(features[:count])
            figures["boxes"] = box_loss(predicted, facts["boxes"], shown, self.stride, self.height)
        if "styles" in self.loss_weights:
            *logits, colour = tf.split(self.styles(mean[:count]), self.sizes, axis=-1)
            each = [
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=facts[name], logits=logit)
                for name, logit in zip(("font", "background"), logits)
            ]
            figures["styles"] = tf.reduce_mean(tf.add_n(each)) + tf.reduce_mean(tf.square(colour - facts["colour"]))
        if "domain" in self.loss_weights:
            logits = self.domain(reversal.reverse(mean, reversal.ramp(done))[:, None])[:, 0, 0]
            logits = tf.cast(logits, tf.float32)
            figures["domain"], figures["domain_accuracy"] = reversal.domain_loss(logits[:count], logits[count:])
        return figures

    def total(self, figures: dict[str, tf.Tensor], done: tf.Tensor) -> tf.Tensor:
        """The weighted sum of the losses, when a fraction `done` of the run has passed."""
        weights = {**self.loss_weights}
        if "alignment" in weights:
            weights["alignment"] *= tf.maximum(0.0, 1 - ALIGNED * done)
        return tf.add_n([weight * figures[name] for name, weight in weights.items()])


def frame_classes(labels: tf.Tensor, boxes: tf.Tensor, frames: int, stride: int) -> tf.Tensor:
    """The character drawn at every frame, `int32 [N, frames]`, BETWEEN characters, or UNKNOWN.

    labels: `int32 [N, L]`, filled with -1. boxes: `float32 [N, L', 4]`, one for each character, in pixels. A character
    takes the frames of the middle half of its box, and at least one. All frames of an image that has not one label for
    each box are unknown.
    """
    longest = min(labels.shape[1], boxes.shape[1])
    same = tf.reduce_sum(tf.cast(labels >= 0, tf.int32), 1) == tf.reduce_sum(tf.cast(boxes[..., 0] >= 0, tf.int32), 1)
    labels, left, right = labels[:, :longest], boxes[:, :longest, 0], boxes[:, :longest, 2]
    middles = (tf.range(frames, dtype=tf.float32) + 0.5) * stride
    away = tf.abs(middles[:, None] - ((left + right) / 2)[:, None])  # [N, frames, L]
    inside = away <= tf.maximum((right - left) / 4, stride / 2)[:, None]
    away = tf.where(inside & (labels >= 0)[:, None], away, float("inf"))
    nearest = tf.gather(labels, tf.argmin(away, axis=-1), axis=1, batch_dims=1)
    found = tf.where(tf.reduce_min(away, axis=-1) < float("inf"), nearest, BETWEEN)
    return tf.where(same[:, None], found, UNKNOWN)


def alignment_loss(logits: tf.Tensor, classes: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The mean cross-entropy of logits `[N, T, C]` with `frame_classes`, over frames that are no padding.

    Between characters the class is the blank, the last. mask: `bool [N, T]`, None for no padding.
    """
    known = classes > UNKNOWN
    weights = tf.cast(known if mask is None else known & mask, tf.float32)
    classes = tf.where(classes < 0, logits.shape[-1] - 1, classes)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits)
    return tf.reduce_sum(weights * losses) / tf.maximum(tf.reduce_sum(weights), 1.0)
