"""Invariant and spreading features, on frames."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.methods.base import TwoViewMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp


@register(
    "inva_spread",
    paper="Ye et al. 2019, arXiv:1904.03436",
    negatives="other instances of the batch",
    needs_whole_batch="the other images of it are the negatives",
)
@dataclass
class InvaSpread(TwoViewMethod):
    """Each instance of the batch is a class (Ye et al. 2019, arXiv:1904.03436): its other view should be classified as
    it, and no other instance should. As in the paper, the projection head is linear.
    """

    temperature: float = key(0.1, "temperature of the softmax", least=1e-3)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector = mlp((self.projection_dim,), "projector", input_dim=encoder.dim)

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        z1, z2, *_ = self.instances(z, batch, mask)
        return {"loss": losses.inva_spread(z1, z2, self.temperature)}
