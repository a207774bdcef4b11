"""SimSiam on frames."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.config import WIDEST, key
from seqclr.losses import negative_cosine
from seqclr.methods.base import TwoViewMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp


@register("simsiam", paper="Chen & He 2021, arXiv:2011.10566")
@dataclass
class SimSiam(TwoViewMethod):
    """Similarity of two views without negatives (Chen & He 2021, arXiv:2011.10566); the stop-gradient prevents a
    collapse.

    The article's heads are narrower than the paper's 2048 and have an L2 penalty.
    """

    projection_dim: int = key(512, "output size of the projection head", least=1, most=WIDEST)
    prediction_dim: int = key(128, "width of the predictor's bottleneck", least=1, most=WIDEST)
    l2: float = key(1e-3, "weight of the L2 penalty on the kernels of both heads", least=0)
    fix_predictor_rate: bool = key(True, "keep the predictor's learning rate constant, as in the authors' runs")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        dims = (self.projection_dim,) * 3
        self.projector = mlp(dims, "projector", output_norm=True, l2=self.l2, input_dim=encoder.dim)
        self.predictor = mlp(
            (self.prediction_dim, self.projection_dim), "predictor", l2=self.l2, input_dim=self.projection_dim
        )

    def constant_rates(self):
        return frozenset({"predictor"} if self.fix_predictor_rate else ())

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        p = self.predictor(z, mask, training=training)
        (z1, z2, *_), (p1, p2, *_) = self.instances(z, batch, mask), self.instances(p, batch, mask)
        return {"loss": (negative_cosine(p1, z2) + negative_cosine(p2, z1)) / 2}
