"""SimCLR on frames."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.config import DEEPEST, WIDEST, key
from seqclr.methods.contrastive.pair_losses import PairLossMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp


@register(
    "simclr",
    paper="Chen et al. 2020, arXiv:2002.05709",
    negatives="other instances of the batch",
    needs_whole_batch="the other images of it are the negatives",
)
@dataclass
class SimCLR(PairLossMethod):
    """Contrast of two views of each instance with the other instances of the batch (Chen et al. 2020,
    arXiv:2002.05709)."""

    hidden_dim: int = key(256, "width of the head's hidden layers", least=1, most=WIDEST)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)
    projection_layers: int = key(2, "layers of the projection head", least=1, most=DEEPEST)
    output_norm: bool = key(False, "end the head with batch norm without offset, as in the authors' code")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        dims = (self.hidden_dim,) * (self.projection_layers - 1) + (self.projection_dim,)
        self.projector = mlp(
            dims, "projector", input_dim=encoder.dim, output_norm=self.output_norm, output_scale=self.output_norm
        )

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        return {"loss": self.compare(self.instances(z, batch, mask))}
