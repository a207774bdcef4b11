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
    """Bardes et al. 2022, arXiv:2105.04906. The same place in both views, with variance kept and covariance taken out.

    8192 dimensions in the paper, on 2048 features.
    """

    projection_dim: int = key(512, "of what is compared, and of the head's hidden layers", least=1, most=WIDEST)
    sim: float = key(25.0, "weight of the distance", least=0)
    std: float = key(25.0, "weight of the variance", least=0)
    cov: float = key(1.0, "weight of the covariance", least=0)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.projector = mlp((self.projection_dim,) * 3, "projector", input_dim=encoder.dim)

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        z1, z2, *_ = self.instances(z, batch, mask)
        return {"loss": losses.vicreg(z1, z2, self.sim, self.std, self.cov)}
