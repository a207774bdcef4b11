"""CMC on frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from seqclr import losses
from seqclr.config import key
from seqclr.data import images
from seqclr.data.records import Entry
from seqclr.errors import UserError
from seqclr.methods.base import TwoViewMethod
from seqclr.nn.heads import mlp
from seqclr.recipes.colour import LightAndColour, is_gray

LOOKED_AT = 64  # images, before a run


@dataclass
class CMC(TwoViewMethod):
    """Tian et al. 2020, arXiv:1906.05849. Lightness and colour of one view, each through an encoder of its own, find
    each other in the batch.

    The softmax of the official code, and the mean of both directions, which it adds up, but no memory bank: the frames
    of text lines are too many to remember. The run's encoder is that of the lightness, which is all that probes and
    fine-tuning go on with. Views that change colours leave less to find.
    """

    repels = "other instances of the batch"
    stores = "an encoder of colour"
    recipe = LightAndColour
    whole_batch = "the other images of it are the negatives"

    temperature: float = key(0.07, "of the softmax")
    projection_dim: int = key(128, "of what is compared")

    def prepare(self, entries: Sequence[Entry]) -> None:
        some = entries[:: -(-len(entries) // LOOKED_AT)]
        if all(is_gray(images.decode(entry.read_bytes(), entry.name)) for entry in some):
            raise UserError(f"{some[0].name} is gray, as all that were looked at, and CMC needs colour: use simclr")

    def build(self, encoder):
        super().build(encoder)
        self.colour = encoder.another()
        self.projector, self.colour_projector = (
            mlp((self.projection_dim,), name, input_dim=encoder.dim) for name in ("projector", "colour_projector")
        )

    def embed(self, batch, training):
        features, mask = self.encode(batch, training)
        light, colour = tf.split(features, 2)
        return features, mask, tf.concat([self.projector(light), self.colour_projector(colour)], axis=0)

    def encode(self, batch, training):
        light, colour = tf.unstack(batch["views"], axis=1)
        keys = {"widths": batch.get("width"), "training": training, "layer": self.layer}
        (first, mask), (second, _) = self.encoder(light, **keys), self.colour(colour, **keys)
        return tf.concat([first, second], axis=0), None if mask is None else tf.tile(mask, [2, 1])

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        z1, z2, *_ = self.instances(z, batch, mask)
        return {"loss": losses.info_nce(z1, z2, self.temperature)}
