"""SimCLR on frames."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import DEEPEST, WIDEST, key
from seqclr.errors import UserError
from seqclr.methods.base import Instances, TwoViewMethod
from seqclr.methods.contrastive.pair_losses import PAIR_LOSSES, SELECTIVE, WITH_TEMPERATURE
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp


@register(
    "simclr",
    paper="Chen et al. 2020, arXiv:2002.05709",
    negatives="other instances of the batch",
    needs_whole_batch="the other images of it are the negatives",
)
@dataclass
class SimCLR(TwoViewMethod):
    """Contrast of two views of each instance with the other instances of the batch (Chen et al. 2020,
    arXiv:2002.05709).

    `loss_name` selects another loss of pairs (pair_losses.py). The noise-contrastive loss of a memory bank is not among
    them, because its normaliser is kept from the first batch on.
    """

    loss_name: str = key(
        "info_nce",
        "loss of pairs: info_nce (the article's, negatives from the other view), nt_xent (SimCLR's, from both views), "
        "debiased, hard_negative, flat_nce, align_uniform, margin_contrastive, triplet or n_pair",
        choices=tuple(sorted(PAIR_LOSSES)),
    )
    temperature: float | None = key(
        None, "temperature of the softmax; by default 0.1, for debiased and hard_negative 0.5", least=1e-3
    )
    negatives: str = key(
        "all",
        "which instances are negatives: all, images (those of other images) or position (those at the same position "
        "in other images)",
        choices=("all", "images", "position"),
    )
    hidden_dim: int = key(256, "width of the head's hidden layers", least=1, most=WIDEST)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)
    projection_layers: int = key(2, "layers of the projection head", least=1, most=DEEPEST)
    output_norm: bool = key(False, "end the head with batch norm without offset, as in the authors' code")

    def __post_init__(self):
        super().__post_init__()
        if self.negatives != "all" and self.loss_name not in SELECTIVE:
            raise UserError(
                f"negatives '{self.negatives}': {self.loss_name} takes all, {' and '.join(SELECTIVE)} can choose"
            )
        if self.temperature is not None and self.loss_name not in WITH_TEMPERATURE:
            raise UserError(f"temperature {self.temperature}: {self.loss_name} has none, so leave it out")

    def build(self, encoder, run=None):
        super().build(encoder, run)
        dims = (self.hidden_dim,) * (self.projection_layers - 1) + (self.projection_dim,)
        self.projector = mlp(
            dims, "projector", input_dim=encoder.dim, output_norm=self.output_norm, output_scale=self.output_norm
        )

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        return {"loss": self.compare(self.instances(z, batch, mask))}

    def compare(self, pairs: Instances) -> tf.Tensor:
        """The loss of instances, with the negatives that the key `negatives` allows."""

        def allowed(rows):
            image, position = (tf.gather(of, rows)[:, None] for of in (pairs.image, pairs.position))
            others = image != pairs.image
            return others & (position == pairs.position) if self.negatives == "position" else others

        chosen = {} if self.negatives == "all" else {"negatives": allowed}
        if self.temperature is not None:
            chosen["temperature"] = self.temperature
        return PAIR_LOSSES[self.loss_name](pairs.first, pairs.second, **chosen)
