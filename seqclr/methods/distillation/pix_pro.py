"""PixPro on frames."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from seqclr import losses
from seqclr.losses.common import normalize, products
from seqclr.methods.contrastive.pix_contrast import PixelMethod
from seqclr.methods.registry import register


@register("pix_pro", paper="Xie et al. 2021, arXiv:2011.10043", ema_network="target network")
@dataclass
class PixPro(PixelMethod):
    """Agreement of propagated frames with the target network's frames at the same position of the other view, without
    negatives (Xie et al. 2021, arXiv:2011.10043). A frame is propagated as a mean of the frames of its view, weighted
    by similarity.
    """

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.transform = keras.layers.Dense(self.projection_dim, name="transform")
        self.transform.build((None, None, self.projection_dim))

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        _, _, target = self.embed_target(batch, training)
        (y1, y2), (t1, t2) = tf.split(self.propagate(z, mask), 2), tf.split(target, 2)
        return {"loss": losses.pix_pro(y1, t2, y2, t1, self.positives(batch, mask))}

    def propagate(self, z: tf.Tensor, mask) -> tf.Tensor:
        """`y_i = sum over j of max(cos(z_i, z_j), 0)^2 g(z_j)`, g linear, over the frames of a view, `[2B, T, D]`."""
        unit = normalize(z)
        weights = tf.nn.relu(products(unit, unit)) ** 2
        if mask is not None:
            weights = tf.where(mask[:, None, :], weights, 0.0)
        return tf.matmul(weights, tf.cast(self.transform(z), tf.float32))
