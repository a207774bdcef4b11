"""SimCLR on frames."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr import losses
from seqclr.errors import UserError
from seqclr.methods.base import TwoViewMethod
from seqclr.nn.heads import mlp
from seqclr.recipes.text import TwoViews

LOSSES = {"info_nce": losses.info_nce, "nt_xent": losses.nt_xent}


@dataclass
class SimCLR(TwoViewMethod):
    """Chen et al. 2020, arXiv:2002.05709. Each instance finds its partner among those of the other images and places.

    The article's loss is `info_nce`, with negatives from the other view; `nt_xent` is SimCLR's own, from both.
    """

    recipe = TwoViews
    loss_name: str = "info_nce"
    temperature: float = 0.1
    hidden_dim: int = 256
    projection_dim: int = 128

    def __post_init__(self):
        super().__post_init__()
        if self.loss_name not in LOSSES:
            raise UserError(f"loss_name '{self.loss_name}' is not known: {', '.join(LOSSES)}")

    def build(self, encoder):
        super().build(encoder)
        self.projector = mlp((self.hidden_dim, self.projection_dim), "projector", input_dim=encoder.dim)

    def loss(self, batch, training):
        features, mask = self.encode(batch, training)
        z1, z2 = self.instances(self.projector(features, training=training), mask)
        return {"loss": LOSSES[self.loss_name](z1, z2, self.temperature)}
