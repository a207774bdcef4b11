"""Colorization: the colours of a gray image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.data.samples import Sample
from seqclr.methods.base import Method
from seqclr.methods.registry import register
from seqclr.nn import colours
from seqclr.nn.maps import map_head, output_size, shrunk
from seqclr.transforms.colour import sample_colours
from seqclr.transforms.two_views import OneView

EXTENT = 110.0  # of a and b


@register(
    "colorization",
    paper="Zhang et al. 2016, arXiv:1603.08511",
    needs_images="colour carries no meaning in lines of text",
)
@dataclass
class Colorization(Method):
    """Classification of the colour at each position of a gray image (Zhang et al. 2016, arXiv:1603.08511).

    The output has a quarter of the image's side, or the size of the feature map where that is larger. Rare colours have
    larger weights, by their frequency in the data. `error`: squared distance of the predicted to the true colour in a
    and b of CIE Lab, mean over positions; `trivial_error`: that of the mean colour of the data. The weights favour
    saturated over close colours, so the error may stay above the trivial one; with uniform=1 it falls below. Probes
    and fine-tuning give the encoder colour images, which it has not seen in pretraining.
    """

    transform = OneView
    defaults = {"views": "none"}  # the colours of the image are the target
    layer = "cnn"

    target: str = key(
        "bins", "bins (classes of colours) or ab (regression, which predicts unsaturated means)", choices=("bins", "ab")
    )
    uniform: float = key(
        0.5, "class weights: lower values up-weight rare colours; 1 weights all bins equally", least=1e-3, most=1
    )

    def prepare(self, samples: Sequence[Sample]) -> None:
        self.pixels = sample_colours(samples, "colorization")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        seen = colours.lab(self.pixels)[..., 1:]
        self.mean = tf.reduce_mean(seen, axis=0).numpy()
        self.weights = colours.rebalanced(tf.reduce_mean(colours.soft(seen), axis=0), self.uniform).numpy()
        self.size = output_size(encoder)
        outputs = len(colours.bins()) if self.target == "bins" else 2
        self.head = map_head("head", encoder.dim, encoder.grid, self.size, outputs)

    def loss(self, batch, training):
        images = batch["views"][:, 0]
        truth, outputs = shrunk(colours.lab(images), self.size)[..., 1:], self.predict(images, training)
        if self.target == "ab":
            loss = squared(outputs, truth / EXTENT)
        else:
            shares = colours.soft(truth)
            costs = tf.nn.softmax_cross_entropy_with_logits(shares, outputs)
            loss = tf.reduce_mean(costs * tf.gather(self.weights, tf.argmax(shares, axis=-1)))
        error, trivial = (squared(ab, truth) for ab in (self.decode(outputs), self.mean))
        return {"loss": loss, "error": error, "trivial_error": trivial}

    def predict(self, images, training: bool) -> tf.Tensor:
        """The head's output for images converted to gray, `float32 [B, h, w, Q]`."""
        features, _ = self.encoder(colours.gray(images), training=training, layer=self.layer)
        return self.head(features, training=training)

    def decode(self, outputs: tf.Tensor) -> tf.Tensor:
        """a and b of the head's output, `[B, h, w, 2]`."""
        return outputs * EXTENT if self.target == "ab" else colours.annealed_mean(outputs, colours.bins())

    def preview_inputs(self, batch):
        images = batch["views"][:, 0]
        truth = shrunk(colours.lab(images), self.size)[..., 1:]
        return {"input": colours.gray(images).numpy(), "target": recoloured(images, truth)}

    def preview_outputs(self, batch):
        images = batch["views"][:, 0]
        return {"prediction": recoloured(images, self.decode(self.predict(images, training=False)))}


def squared(predicted: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """The squared distance along the last axis, averaged over the others."""
    return tf.reduce_mean(tf.reduce_sum(tf.square(predicted - truth), axis=-1))


def recoloured(images, ab: tf.Tensor):
    """Images whose a and b are replaced by `ab: [B, h, w, 2]`, `uint8 [B, H, W, 3]`."""
    light = colours.lab(images)[..., :1]
    return colours.rgb(tf.concat([light, tf.image.resize(ab, light.shape[1:3])], axis=-1)).numpy()
