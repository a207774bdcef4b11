"""Barlow Twins on frames."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.methods.base import TwoViewMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp


@register(
    "barlow_twins", paper="Zbontar et al. 2021, arXiv:2103.03230", needs_whole_batch="correlations are over the batch"
)
@dataclass
class BarlowTwins(TwoViewMethod):
    """The cross-correlation matrix of the two views' dimensions is made the identity (Zbontar et al. 2021,
    arXiv:2103.03230).

    The paper has 8192 dimensions for 2048 features.
    """

    projection_dim: int = key(512, "width of all layers of the projection head", least=1, most=WIDEST)
    lambd: float = key(5.1e-3, "weight of the off-diagonal terms", least=0)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector = mlp((self.projection_dim,) * 3, "projector", input_dim=encoder.dim)

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        z1, z2, *_ = self.instances(z, batch, mask)
        return {"loss": losses.barlow_twins(z1, z2, self.lambd)}
