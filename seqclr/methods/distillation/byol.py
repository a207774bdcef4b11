"""BYOL on frames."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.methods.momentum import MomentumMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp


@register("byol", paper="Grill et al. 2020, arXiv:2006.07733", ema_network="target network")
@dataclass
class BYOL(MomentumMethod):
    """Prediction of the target network's projection of the other view, without negatives (Grill et al. 2020,
    arXiv:2006.07733).

    The paper's heads are 4096 wide for 2048 features, and its EMA decay is 0.996 in runs of 300,000 steps, 0.97 in
    short ones.
    """

    hidden_dim: int = key(512, "width of the heads' hidden layer", least=1, most=WIDEST)
    projection_dim: int = key(256, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        dims = (self.hidden_dim, self.projection_dim)
        self.projector = mlp(dims, "projector", input_dim=encoder.dim)
        self.predictor = mlp(dims, "predictor", input_dim=self.projection_dim)
        self.make_target()

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        p = self.predictor(z, mask, training=training)
        _, _, target = self.embed_target(batch, training)
        (p1, p2, *_), (t1, t2, *_) = self.instances(p, batch, mask), self.instances(target, batch, mask)
        return {"loss": losses.byol(p1, t2) + losses.byol(p2, t1)}
