"""MoCo on frames, the third version."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.methods.momentum import MomentumMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp


@register(
    "moco_v3",
    paper="Chen et al. 2021, arXiv:2104.02057",
    negatives="other instances of the batch",
    ema_network="target network",
    needs_whole_batch="the other images of it are the negatives",
)
@dataclass
class MoCoV3(MomentumMethod):
    """Contrast of predicted queries with the keys of the other view, in both directions and without a queue (Chen et
    al. 2021, arXiv:2104.02057).

    The heads are those of the paper's ResNet, 4096 wide there; the temperature is that of its ViT (1.0 for the ResNet).
    """

    temperature: float = key(0.2, "temperature of the softmax", least=1e-3)
    hidden_dim: int = key(512, "width of the heads' hidden layer", least=1, most=WIDEST)
    projection_dim: int = key(256, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        dims = (self.hidden_dim, self.projection_dim)
        self.projector = mlp(dims, "projector", input_dim=encoder.dim, output_norm=True)
        self.predictor = mlp(dims, "predictor", input_dim=self.projection_dim)
        self.make_target()

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        q = self.predictor(z, mask, training=training)
        _, _, target = self.embed_target(batch, training)
        (q1, q2, *_), (k1, k2, *_) = self.instances(q, batch, mask), self.instances(target, batch, mask)
        return {"loss": losses.moco_v3(q1, k2, q2, k1, self.temperature)}
