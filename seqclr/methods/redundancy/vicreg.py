"""VICReg on frames."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.methods.base import TwoViewMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp


@register("vicreg", paper="Bardes et al. 2022, arXiv:2105.04906", needs_whole_batch="variances are over the batch")
@dataclass
class VICReg(TwoViewMethod):
    """Equal projections of two views, with the variance of each dimension kept up and their covariance reduced (Bardes
    et al. 2022, arXiv:2105.04906).

    The paper has 8192 dimensions for 2048 features.
    """

    projection_dim: int = key(512, "width of all layers of the projection head", least=1, most=WIDEST)
    sim: float = key(25.0, "weight of the distance of the views", least=0)
    std: float = key(25.0, "weight of the variance term", least=0)
    cov: float = key(1.0, "weight of the covariance term", least=0)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector = mlp((self.projection_dim,) * 3, "projector", input_dim=encoder.dim)

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        z1, z2, *_ = self.instances(z, batch, mask)
        return {"loss": losses.vicreg(z1, z2, self.sim, self.std, self.cov)}
