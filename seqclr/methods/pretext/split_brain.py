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

LEVELS = np.arange(100, dtype=np.float32)[:, None] + 0.5  # centres of the classes of lightness, and of depth
DEEPEST = 255  # of depth in bytes
CHANNELS = {"light": 0, "depth": 3}  # that have levels, of `channels_of`
TITLES = {"light": "lightness", "depth": "depth"}


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

    With channels=4 the images have depth: one half sees the colours and classifies the depth, in 100 levels, the other
    sees the depth and classifies colour and lightness. `depth_error` and `trivial_depth_error` are in levels.
    """

    transform = OneView
    defaults = {"views": "none"}  # the colours of the image are the target
    layer = "cnn"
    read_channels = 3  # of the images, which may have depth

    def channels(self):
        return 3, 4

    def records(self, dataset):
        self.read_channels = dataset.shape[2]
        return super().records(dataset)

    def prepare(self, samples: Sequence[Sample]) -> None:
        self.pixels = sample_colours(samples, "split_brain", self.read_channels)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.mean = tf.reduce_mean(channels_of(self.pixels), axis=0).numpy()
        self.size = output_size(encoder)
        bins, levels = len(colours.bins()), len(LEVELS)
        if encoder.channels == 4:
            outputs = {"depth_head": levels, "lab_head": bins + levels}
        else:
            outputs = {"colour_head": bins, "light_head": levels}
        self.heads = tuple(outputs)
        for name, half in zip(outputs, encoder.halves):
            setattr(self, name, map_head(name, half.dim, encoder.grid, self.size, outputs[name]))

    def loss(self, batch, training):
        images = batch["views"][:, 0]
        truth, predicted = shrunk(channels_of(images), self.size), self.predict(images, training)
        costs = [tf.nn.softmax_cross_entropy_with_logits(colours.soft(truth[..., 1:3]), predicted["colour"])]
        logs = {
            "error": squared(colours.annealed_mean(predicted["colour"], colours.bins()), truth[..., 1:3]),
            "trivial_error": squared(self.mean[1:3], truth[..., 1:3]),
        }
        for name, at in CHANNELS.items():
            if name not in predicted:
                continue
            level = tf.cast(tf.clip_by_value(truth[..., at], 0, len(LEVELS) - 1), tf.int32)
            costs.append(tf.nn.sparse_softmax_cross_entropy_with_logits(level, predicted[name]))
            logs[f"{name}_error"] = squared(colours.annealed_mean(predicted[name], LEVELS), truth[..., at, None])
            logs[f"trivial_{name}_error"] = squared(self.mean[at], truth[..., at, None])
        return {"loss": tf.add_n([tf.reduce_mean(cost) for cost in costs]), **logs}

    def predict(self, images, training: bool) -> dict[str, tf.Tensor]:
        """Logits `float32 [B, h, w, Q]` of bins of `colour` and of levels of `light` and perhaps `depth`, each from the
        half that does not see it."""
        first, second = (
            getattr(self, name)(half(images, training=training, layer=self.layer)[0], training=training)
            for name, half in zip(self.heads, self.encoder.halves)
        )
        if self.encoder.channels == 3:
            return {"colour": first, "light": second}
        colour, light = tf.split(second, [len(colours.bins()), len(LEVELS)], axis=-1)
        return {"colour": colour, "light": light, "depth": first}

    def preview_inputs(self, batch):
        images = batch["views"][:, 0]
        if images.shape[-1] == 4:
            return {"colour input": images[..., :3], "depth input": np.repeat(images[..., 3:], 3, axis=-1)}
        return {"lightness input": colours.gray(images).numpy(), "colour input": colours.tint(images).numpy()}

    def preview_outputs(self, batch):
        images = batch["views"][:, 0]
        predicted = self.predict(images, training=False)
        colour = recoloured(images[..., :3], colours.annealed_mean(predicted.pop("colour"), colours.bins()))
        return {"predicted colour": colour, **{f"predicted {TITLES[name]}": drawn(x) for name, x in predicted.items()}}


def channels_of(images) -> tf.Tensor:
    """L, a and b of images and, where they have it, their depth, scaled to 0 to 100."""
    images = tf.convert_to_tensor(images)
    lab = colours.lab(images[..., :3])
    return tf.concat([lab, tf.cast(images[..., 3:], lab.dtype) * (len(LEVELS) / DEEPEST)], axis=-1)


def drawn(logits: tf.Tensor) -> np.ndarray:
    """Levels as a gray image."""
    levels = colours.annealed_mean(logits, LEVELS)
    return colours.rgb(tf.concat([levels, tf.zeros((*levels.shape[:3], 2))], axis=-1)).numpy()
