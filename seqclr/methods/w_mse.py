"""W-MSE on frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from seqclr import losses
from seqclr.config import key
from seqclr.errors import UserError
from seqclr.methods.base import TwoViewMethod
from seqclr.nn.heads import mlp


@dataclass
class WMSE(TwoViewMethod):
    """Ermolov et al. 2021, arXiv:2007.06346. Distance of whitened instances, which cannot collapse.

    Instances are whitened in slices of `whitening_size`; those left over do not count.
    """

    whole_batch = "it is whitened over the batch"
    defaults: ClassVar[dict] = {"batch_size": 128}  # of which even pictures fill a slice

    projection_dim: int = key(64, "of what is compared")
    hidden_dim: int = key(512, "width of the head's hidden layer; 1024 in the paper", least=1)
    whitening_size: int = key(128, "instances that are whitened together, at least twice projection_dim")

    def __post_init__(self):
        super().__post_init__()
        if self.whitening_size < 2 * self.projection_dim:
            raise UserError(
                f"whitening_size {self.whitening_size} is too few for {self.projection_dim} dimensions: at least "
                f"{2 * self.projection_dim}, or lower projection_dim"
            )

    def build(self, encoder):
        super().build(encoder)
        count = self.batch_size * self.windows()
        if self.batch_size and count < self.whitening_size:
            raise UserError(
                f"whitening_size {self.whitening_size}: a batch has {count} instances: take a larger batch_size or a "
                "smaller projection_dim and whitening_size"
            )
        self.projector = mlp((self.hidden_dim, self.projection_dim), "projector", input_dim=encoder.dim)

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        z1, z2, *_ = self.instances(z, batch, mask)
        return {"loss": losses.w_mse(self.dealt(tf.stack([z1, z2])), self.whitening_size)}

    def dealt(self, z: tf.Tensor) -> tf.Tensor:
        """Rows `[2, N, D]` in another order: neighbours, which are frames of one line, come into different slices."""
        slices = tf.shape(z)[1] // self.whitening_size
        rows = tf.reshape(z[:, : slices * self.whitening_size], [2, self.whitening_size, slices, self.projection_dim])
        return tf.reshape(tf.transpose(rows, (0, 2, 1, 3)), [2, -1, self.projection_dim])
