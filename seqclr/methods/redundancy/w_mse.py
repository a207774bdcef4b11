"""W-MSE on frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.errors import UserError
from seqclr.methods.base import TwoViewMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp

SAMPLED = 1000  # largest number of records whose width is read


@register("w_mse", paper="Ermolov et al. 2021, arXiv:2007.06346", needs_whole_batch="it is whitened over the batch")
@dataclass
class WMSE(TwoViewMethod):
    """Distance of whitened instances, which cannot collapse (Ermolov et al. 2021, arXiv:2007.06346).

    Instances are divided at random into slices of `whitening_size`, the same for both views, and whitened within each;
    the remainder is left out. A batch with fewer visible instances, from short lines or crops, has the loss 0 and is
    logged as `skipped`.
    """

    defaults: ClassVar[dict] = {"batch_size": 128}  # fills a slice even with one instance per image

    projection_dim: int = key(64, "output size of the projection head", least=1, most=WIDEST)
    hidden_dim: int = key(512, "width of the head's hidden layer; 1024 in the paper", least=1, most=WIDEST)
    whitening_size: int = key(128, "instances in a slice that is whitened; at least twice projection_dim", least=2)
    whitenings: int = key(
        1, "random divisions of a batch into slices; 4 in the paper, where images are larger", least=1, most=100
    )

    def __post_init__(self):
        super().__post_init__()
        if self.whitening_size < 2 * self.projection_dim:
            raise UserError(
                f"whitening_size {self.whitening_size} is too few for {self.projection_dim} dimensions: at least "
                f"{2 * self.projection_dim}, or lower projection_dim"
            )

    def records(self, dataset):
        if dataset.resize == "pad":
            some = np.linspace(0, len(dataset) - 1, min(len(dataset), SAMPLED)).astype(int)
            self.filled = [dataset[int(i)]["width"] for i in some]
        return dataset

    def build(self, encoder, run=None):
        super().build(encoder, run)
        count = int(self.run.batch_size * (self.windows() if self.filled is None else self.window_counts().mean()))
        if self.run.batch_size and count < self.whitening_size:
            raise UserError(
                f"whitening_size {self.whitening_size}: a batch has {count} instances: take a larger batch_size or a "
                "smaller projection_dim and whitening_size"
            )
        self.projector = mlp((self.hidden_dim, self.projection_dim), "projector", input_dim=encoder.dim)
        self.steps = keras.Variable(0, trainable=False, dtype="int32", name="steps")

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        z1, z2, *_ = self.instances(z, batch, mask)
        z = tf.stack([z1, z2])
        some = tf.shape(z)[1] >= self.whitening_size
        loss = tf.cond(some, lambda: losses.w_mse(self.shuffled(z), self.whitening_size), lambda: tf.zeros(()))
        if training:
            self.steps.assign(self.steps.value + 1)
        return {"loss": loss, "skipped": 1.0 - tf.cast(some, tf.float32)}

    def shuffled(self, z: tf.Tensor) -> tf.Tensor:
        """Rows `[2, N, D]` in random order, cut to whole slices, `whitenings` times one after the other.

        The order is seeded by the step, so that all replicas draw the same.
        """
        count = tf.shape(z)[1]
        scores = tf.random.stateless_uniform([self.whitenings, count], [self.steps.value, 0])
        order = tf.argsort(scores)[:, : count // self.whitening_size * self.whitening_size]
        return tf.gather(z, tf.reshape(order, [-1]), axis=1)
