"""CMC (contrastive multiview coding) on frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.data.samples import Sample
from seqclr.methods.base import TwoViewMethod
from seqclr.methods.registry import register
from seqclr.nn import colours
from seqclr.nn.heads import mlp
from seqclr.transforms.colour import sample_colours
from seqclr.transforms.two_views import OneView


@register(
    "cmc",
    paper="Tian et al. 2020, arXiv:1906.05849",
    negatives="other instances of the batch",
    needs_halves="lightness and colour are contrasted",
    needs_whole_batch="the other images of it are the negatives",
)
@dataclass
class CMC(TwoViewMethod):
    """Contrast of the lightness and the colour of one view (Tian et al. 2020, arXiv:1906.05849).

    Each half of the encoder sees one of the two. The loss is the softmax of the official code, averaged over the two
    directions, which the code adds up. There is no memory bank: text lines have too many frames to store. Views that
    change colours leave less to learn.
    """

    transform = OneView

    temperature: float = key(0.07, "temperature of the softmax", least=1e-3)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)

    def prepare(self, samples: Sequence[Sample]) -> None:
        sample_colours(samples, "cmc")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector, self.colour_projector = (
            mlp((self.projection_dim,), name, input_dim=half.dim)
            for name, half in zip(("projector", "colour_projector"), encoder.halves)
        )

    def embed(self, batch, training):
        features, mask = self.encode(batch, training)
        light, colour = tf.split(features, 2)
        return features, mask, tf.concat([self.projector(light), self.colour_projector(colour)], axis=0)

    def encode(self, batch, training):
        images, keys = batch["views"][:, 0], {"widths": batch.get("width"), "training": training, "layer": self.layer}
        (light, mask), (colour, _) = (half(images, **keys) for half in self.encoder.halves)
        return tf.concat([light, colour], axis=0), None if mask is None else tf.tile(mask, [2, 1])

    def instances(self, x, batch, mask):
        both = tf.repeat(batch["geometry"][:, :1], 2, axis=1)  # both halves see the same view
        return super().instances(x, {**batch, "geometry": both}, mask)

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        z1, z2, *_ = self.instances(z, batch, mask)
        return {"loss": losses.info_nce(z1, z2, self.temperature)}

    def preview_inputs(self, batch):
        images = batch["views"][:, 0]
        return {"lightness": colours.gray(images).numpy(), "colour": colours.tint(images).numpy()}
