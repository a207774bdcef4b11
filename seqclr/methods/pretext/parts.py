"""Base of the methods that encode the parts of an image separately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from seqclr.config import WIDEST, key
from seqclr.losses.common import classification
from seqclr.methods.base import Method
from seqclr.nn import frames
from seqclr.nn.heads import mlp


@dataclass
class PartsMethod(Method):
    """All parts of a batch are encoded in one pass."""

    defaults: ClassVar[dict] = {"views": "none"}  # the parts have distortions of their own

    hidden_dim: int = key(256, "width of the head's hidden layer", least=1, most=WIDEST)

    def embed_parts(self, tiles: tf.Tensor, training: bool) -> tf.Tensor:
        """The mean feature of every part: `float32 [B, N, D]` of `uint8 [B, N, h, w, 3]`."""
        count = tiles.shape[1]
        features, _ = self.encoder(tf.reshape(tiles, [-1, *tiles.shape[2:]]), training=training, layer=self.layer)
        pooled, _ = frames.pool(tf.cast(features, tf.float32), "all")
        return tf.reshape(pooled, [-1, count, features.shape[-1]])


@dataclass
class Arrangement(PartsMethod):
    """An MLP on the concatenated features of the parts, `tiles`, classifies their arrangement, `label`."""

    def make_head(self, parts: int, classes: int) -> None:
        self.chance = 1 / classes
        self.head = mlp((self.hidden_dim, classes), "head", input_dim=parts * self.encoder.dim)

    def loss(self, batch, training):
        features = self.embed_parts(batch["tiles"], training)
        together = tf.reshape(features, [-1, 1, features.shape[1] * features.shape[2]])
        return classification(self.head(together, training=training)[:, 0], batch["label"])
