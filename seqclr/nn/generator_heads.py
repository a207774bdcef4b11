"""Auxiliary heads on generated images: targets beside the text that the generator knows."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from seqclr.nn import frames, reversal
from seqclr.nn.boxes import OUTPUTS, box_loss
from seqclr.nn.heads import mlp


class GeneratorHeads(keras.layers.Layer):
    """Heads for those of these losses whose weight is above 0. Their targets come from transforms/generated.py.

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

    def figures(self, features: tf.Tensor, mask, facts: dict[str, tf.Tensor], done: tf.Tensor) -> dict[str, tf.Tensor]:
        """The losses by name of frames `[N + M, T, D]`: N generated images, followed by M images of the run.

        mask: `bool [N + M, T]`, frames that are no padding (None: all). facts: the targets, N rows each. done: the
        fraction of the run that has passed.
        """
        features, count, figures = tf.cast(features, tf.float32), tf.shape(facts["boxes"])[0], {}
        mean = frames.pool(features, "all", mask)[0][:, 0]
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

    def total(self, figures: dict[str, tf.Tensor]) -> tf.Tensor:
        """The weighted sum of the losses."""
        return tf.add_n([weight * figures[name] for name, weight in self.loss_weights.items()])
