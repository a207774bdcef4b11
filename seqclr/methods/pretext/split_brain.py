"""Split-brain autoencoder: each half of the encoder predicts the input of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from seqclr.data.samples import Sample
from seqclr.methods.base import Method
from seqclr.methods.pretext.colorization import recoloured, squared
from seqclr.methods.registry import register
from seqclr.nn import colours
from seqclr.nn.maps import map_head, output_size, shrunk
from seqclr.transforms.colour import sample_colours
from seqclr.transforms.two_views import OneView

LEVELS = np.arange(100, dtype=np.float32)[:, None] + 0.5  # centres of the classes of lightness


@register(
    "split_brain",
    paper="Zhang et al. 2017, arXiv:1611.09842",
    needs_images="colour carries no meaning in lines of text",
    needs_halves="lightness and colour are predicted from each other",
)
@dataclass
class SplitBrain(Method):
    """Prediction of colour from lightness and of lightness from colour (Zhang et al. 2017, arXiv:1611.09842).

    One half of the encoder sees lightness and classifies the colour at each position, the other the reverse; the
    features of an image are those of both. The classes of colour are those of colorization, softly assigned, but not
    weighted; lightness has 100. `error` and `trivial_error` as in colorization; `light_error` and
    `trivial_light_error`: squared errors of lightness, in units of L.
    """

    transform = OneView
    defaults = {"views": "none"}  # the colours of the image are the target
    layer = "cnn"

    def prepare(self, samples: Sequence[Sample]) -> None:
        self.pixels = sample_colours(samples, "split_brain")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.mean = tf.reduce_mean(colours.lab(self.pixels), axis=0).numpy()
        self.size = output_size(encoder)
        self.colour_head, self.light_head = (
            map_head(name, half.dim, encoder.grid, self.size, outputs)
            for name, half, outputs in zip(
                ("colour_head", "light_head"), encoder.halves, (len(colours.bins()), len(LEVELS))
            )
        )

    def loss(self, batch, training):
        images = batch["views"][:, 0]
        truth, (colour, light) = shrunk(colours.lab(images), self.size), self.predict(images, training)
        level = tf.cast(tf.clip_by_value(truth[..., 0], 0, len(LEVELS) - 1), tf.int32)
        costs = [
            tf.nn.softmax_cross_entropy_with_logits(colours.soft(truth[..., 1:]), colour),
            tf.nn.sparse_softmax_cross_entropy_with_logits(level, light),
        ]
        return {
            "loss": tf.add_n([tf.reduce_mean(cost) for cost in costs]),
            "error": squared(colours.annealed_mean(colour, colours.bins()), truth[..., 1:]),
            "trivial_error": squared(self.mean[1:], truth[..., 1:]),
            "light_error": squared(colours.annealed_mean(light, LEVELS), truth[..., :1]),
            "trivial_light_error": squared(self.mean[:1], truth[..., :1]),
        }

    def predict(self, images, training: bool) -> list[tf.Tensor]:
        """Logits `float32 [B, h, w, Q]` of both heads: bins of colour, from the half that sees lightness, and levels
        of lightness, from the other."""
        return [
            head(half(images, training=training, layer=self.layer)[0], training=training)
            for head, half in zip((self.colour_head, self.light_head), self.encoder.halves)
        ]

    def preview_inputs(self, batch):
        images = batch["views"][:, 0]
        return {"lightness input": colours.gray(images).numpy(), "colour input": colours.tint(images).numpy()}

    def preview_outputs(self, batch):
        images = batch["views"][:, 0]
        colour, light = self.predict(images, training=False)
        levels = colours.annealed_mean(light, LEVELS)
        gray = colours.rgb(tf.concat([levels, tf.zeros((*levels.shape[:3], 2))], axis=-1)).numpy()
        return {
            "predicted colour": recoloured(images, colours.annealed_mean(colour, colours.bins())),
            "predicted lightness": gray,
        }
