"""Counting: the counts of the parts of an image add up to the counts of the image."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import WIDEST, key
from seqclr.methods.pretext.parts import PartsMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp
from seqclr.nn.replicas import gather
from seqclr.transforms.counting import WholeAndParts, part_size


@register(
    "counting",
    paper="Noroozi et al. 2017, arXiv:1708.06734",
    negatives="another image of the batch",
    needs_whole_batch="another image of the batch is the negative",
)
@dataclass
class Counting(PartsMethod):
    """Counts of an image at half its size equal the sum s of the counts of its quarters, those of another image do not
    (Noroozi et al. 2017, arXiv:1708.06734): `|c(x) - s|^2 + max(0, margin - |c(y) - s|^2)`.

    Counts that are all zero cost the margin. The accuracy is the fraction of images whose sum is nearer to their own
    counts than to those of the other image, which is 0 for zero counts. A line has two halves instead of quarters. The
    paper has 1000 counts and three dense layers; here both are fewer.
    """

    transform = WholeAndParts
    chance = 0.5

    margin: float = key(10.0, "least squared distance to the counts of another image without loss", least=0)
    counts: int = key(128, "number of counts, the head's output size", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.check_accepts(*part_size(encoder.height, encoder.width), "parts")
        self.counter = mlp((self.hidden_dim, self.counts), "counter", input_dim=encoder.dim)

    def loss(self, batch, training):
        features = self.embed_parts(batch["tiles"], training)
        counts = gather(tf.nn.relu(tf.cast(self.counter(features, training=training), tf.float32)))
        whole, total = counts[:, 0], tf.reduce_sum(counts[:, 1:], axis=1)
        own, other = (tf.reduce_sum((x - total) ** 2, axis=1) for x in (whole, tf.roll(whole, 1, axis=0)))
        loss = tf.reduce_mean(own + tf.nn.relu(self.margin - other))
        return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(own < other, tf.float32))}

    def preview_inputs(self, batch):
        whole, *parts = batch["tiles"].swapaxes(0, 1)
        return {"image at half size": whole, **{f"part {i}": part for i, part in enumerate(parts, 1)}}
