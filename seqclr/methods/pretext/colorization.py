"""Colorization: the colours of a gray picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.data.samples import Sample
from seqclr.methods.base import Method
from seqclr.methods.registry import register
from seqclr.nn import colours
from seqclr.nn.maps import answer_size, map_head, shrunk
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
    """Zhang et al. 2016, arXiv:1603.08511. A picture is shown in gray, and places of it are told their colour, a class.

    The answer has a quarter of the picture's side, or the size of the feature map where that is more. Rare colours
    weigh more, by what `prepare` sees of the data. `error`: squared distance of the colour said to the true one in a
    and b of CIE Lab, mean over places; `trivial_error`: of the mean colour of the data. The weights make answers vivid
    rather than close, so that the error may stay above the trivial one; with uniform=1 it falls below. Probes and
    fine-tuning show the encoder colours, which it has not seen here.
    """

    transform = OneView
    defaults = {"views": "none"}  # changed colours are no answer
    layer = "cnn"

    target: str = key("bins", "bins of colour, or ab: regression, which answers in dull means", choices=("bins", "ab"))
    uniform: float = key(
        0.5, "of the weights of bins: the less the dearer are rare colours; 1: all weigh the same", least=1e-3, most=1
    )

    def prepare(self, samples: Sequence[Sample]) -> None:
        self.pixels = sample_colours(samples, "colorization")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        seen = colours.lab(self.pixels)[..., 1:]
        self.mean = tf.reduce_mean(seen, axis=0).numpy()
        self.weights = colours.rebalanced(tf.reduce_mean(colours.soft(seen), axis=0), self.uniform).numpy()
        self.size = answer_size(encoder)
        outputs = len(colours.bins()) if self.target == "bins" else 2
        self.head = map_head("head", encoder.dim, encoder.grid, self.size, outputs)

    def loss(self, batch, training):
        images = batch["views"][:, 0]
        truth, said = shrunk(colours.lab(images), self.size)[..., 1:], self.say(images, training)
        if self.target == "ab":
            loss = squared(said, truth / EXTENT)
        else:
            shares = colours.soft(truth)
            costs = tf.nn.softmax_cross_entropy_with_logits(shares, said)
            loss = tf.reduce_mean(costs * tf.gather(self.weights, tf.argmax(shares, axis=-1)))
        error, trivial = (squared(ab, truth) for ab in (self.decode(said), self.mean))
        return {"loss": loss, "error": error, "trivial_error": trivial}

    def say(self, images, training: bool) -> tf.Tensor:
        """What the head answers of images in gray, `float32 [B, h, w, Q]`."""
        features, _ = self.encoder(colours.gray(images), training=training, layer=self.layer)
        return self.head(features, training=training)

    def decode(self, said: tf.Tensor) -> tf.Tensor:
        """a and b, `[B, h, w, 2]`."""
        return said * EXTENT if self.target == "ab" else colours.annealed_mean(said, colours.bins())

    def preview_inputs(self, batch):
        images = batch["views"][:, 0]
        truth = shrunk(colours.lab(images), self.size)[..., 1:]
        return {"shown": colours.gray(images).numpy(), "answer": painted(images, truth)}

    def preview_outputs(self, batch):
        images = batch["views"][:, 0]
        return {"answers": painted(images, self.decode(self.say(images, training=False)))}


def squared(said: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """The squared distance over the last axis, its mean over the others."""
    return tf.reduce_mean(tf.reduce_sum(tf.square(said - truth), axis=-1))


def painted(images, ab: tf.Tensor):
    """Images in colours a and b `[B, h, w, 2]` in place of their own."""
    light = colours.lab(images)[..., :1]
    return colours.rgb(tf.concat([light, tf.image.resize(ab, light.shape[1:3])], axis=-1)).numpy()
