"""CURL on frames."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.methods.momentum import MomentumMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import Head


@register(
    "curl",
    paper="Laskin et al. 2020, arXiv:2004.04136",
    negatives="other instances of the batch",
    ema_network="key encoder",
    needs_whole_batch="the other images of it are the negatives",
)
@dataclass
class CURL(MomentumMethod):
    """Contrast of queries with the keys of the batch by a learned bilinear product (Laskin et al. 2020,
    arXiv:2004.04136), in one direction.

    Layer norm ends the projection head, as it ends the paper's encoder; nothing is scaled to unit length.
    """

    decay_rises = False

    target_momentum: float = key(0.95, "EMA decay of the key encoder", least=0, most=1)
    projection_dim: int = key(50, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        dense = keras.layers.Dense(self.projection_dim, name="dense")
        norm = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")
        self.projector = Head([dense, norm], name="projector")
        self.projector.build((None, None, encoder.dim))
        start = keras.random.uniform((self.projection_dim, self.projection_dim), dtype="float32")
        self.bilinear = keras.Variable(start, dtype="float32", name="bilinear")
        self.make_target()

    def loss(self, batch, training):
        queries, keys, *_ = self.query_and_key(batch, training)
        return {"loss": losses.curl(queries, keys, self.bilinear.value)}
