"""SimCLR on frames."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import DEEPEST, WIDEST, key
from seqclr.errors import UserError
from seqclr.methods.base import Instances, TwoViewMethod
from seqclr.methods.contrastive.pair_losses import CHOOSY, PAIR_LOSSES, TEMPERED
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
    """Chen et al. 2020, arXiv:2002.05709. Each instance finds its partner among those of other images and places.

    Another loss of pairs may take the place of its own (pair_losses.py). The binary loss of a memory bank, nce, is no
    such: its normaliser is kept from the first batch on.
    """

    loss_name: str = key(
        "info_nce",
        "the article's, negatives from the other view; nt_xent, SimCLR's, from both; or debiased, hard_negative, "
        "flat_nce, align_uniform, margin_contrastive, triplet, n_pair",
        choices=tuple(sorted(PAIR_LOSSES)),
    )
    temperature: float | None = key(
        None, "of the softmax of the loss; by default 0.1, of debiased and hard_negative 0.5", least=1e-3
    )
    negatives: str = key(
        "all",
        "all, images (those of other images) or position (those of other images at the same position)",
        choices=("all", "images", "position"),
    )
    hidden_dim: int = key(256, "width of the head's hidden layers", least=1, most=WIDEST)
    projection_dim: int = key(128, "of what is compared", least=1, most=WIDEST)
    projection_layers: int = key(2, "how deep the head is", least=1, most=DEEPEST)
    output_norm: bool = key(False, "batch norm without offset ends the head, as in the authors' code")

    def __post_init__(self):
        super().__post_init__()
        if self.negatives != "all" and self.loss_name not in CHOOSY:
            raise UserError(
                f"negatives '{self.negatives}': {self.loss_name} takes all, {' and '.join(CHOOSY)} can choose"
            )
        if self.temperature is not None and self.loss_name not in TEMPERED:
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

    def compare(self, seen: Instances) -> tf.Tensor:
        """The loss of instances against the negatives that the method allows."""

        def allowed(rows):
            image, position = (tf.gather(of, rows)[:, None] for of in (seen.image, seen.position))
            others = image != seen.image
            return others & (position == seen.position) if self.negatives == "position" else others

        chosen = {} if self.negatives == "all" else {"negatives": allowed}
        if self.temperature is not None:
            chosen["temperature"] = self.temperature
        return PAIR_LOSSES[self.loss_name](seen.first, seen.second, **chosen)
