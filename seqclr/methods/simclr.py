"""SimCLR on frames."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr import losses
from seqclr.config import key
from seqclr.methods.base import Instances, TwoViewMethod, choose
from seqclr.nn.heads import mlp

LOSSES = {"info_nce": losses.info_nce, "nt_xent": losses.nt_xent}


@dataclass
class SimCLR(TwoViewMethod):
    """Chen et al. 2020, arXiv:2002.05709. Each instance finds its partner among those of other images and places."""

    whole_batch = "the other images of it are the negatives"

    loss_name: str = key("info_nce", "the article's, negatives from the other view; nt_xent is SimCLR's, from both")
    temperature: float = key(0.1, "of the softmax")
    negatives: str = key("all", "all, those of other images, or those of other images at the same place")
    hidden_dim: int = key(256, "width of the head's hidden layers")
    projection_dim: int = key(128, "of what is compared")
    projection_layers: int = key(2, "how deep the head is")

    def __post_init__(self):
        super().__post_init__()
        choose("loss_name", self.loss_name, tuple(LOSSES))
        choose("negatives", self.negatives, ("all", "images", "place"))

    def build(self, encoder):
        super().build(encoder)
        dims = (self.hidden_dim,) * (self.projection_layers - 1) + (self.projection_dim,)
        self.projector = mlp(dims, "projector", input_dim=encoder.dim)

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        return {"loss": self.compare(self.instances(z, batch, mask))}

    def compare(self, seen: Instances) -> tf.Tensor:
        """The loss of instances against the negatives that the method allows."""

        def allowed(rows):
            image, place = (tf.gather(of, rows)[:, None] for of in (seen.image, seen.place))
            others = image != seen.image
            return others & (place == seen.place) if self.negatives == "place" else others

        negatives = None if self.negatives == "all" else allowed
        return LOSSES[self.loss_name](seen.first, seen.second, self.temperature, negatives)
