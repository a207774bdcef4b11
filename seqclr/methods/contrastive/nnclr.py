"""NNCLR on frames."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.methods.base import TwoViewMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp
from seqclr.nn.queue import SupportSet


@register(
    "nnclr",
    paper="Dwibedi et al. 2021, arXiv:2104.14548",
    negatives="other instances of the batch",
    stores="a queue of instances of earlier batches",
    needs_whole_batch="the other images of it are the negatives",
)
@dataclass
class NNCLR(TwoViewMethod):
    """The positive of an instance is the nearest neighbour of its other view, from a queue of instances of earlier
    batches (Dwibedi et al. 2021, arXiv:2104.14548). Instances of the same image are excluded.

    The paper's heads are 2048 and 4096 wide, with 256 outputs, and its queue of 98,304 is for 1.3 million images.
    """

    temperature: float = key(0.1, "temperature of the softmax", least=1e-3)
    queue_size: int = key(8192, "instances in the queue", least=1)
    hidden_dim: int = key(512, "width of the heads' hidden layers", least=1, most=WIDEST)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        dims = (self.hidden_dim, self.projection_dim)
        self.projector = mlp((self.hidden_dim, *dims), "projector", input_dim=encoder.dim, output_norm=True)
        self.predictor = mlp(dims, "predictor", input_dim=self.projection_dim)
        self.queue = SupportSet(self.queue_size, self.projection_dim)

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        p = self.predictor(z, mask, training=training)
        (z1, z2, image, _), (p1, p2, *_) = self.instances(z, batch, mask), self.instances(p, batch, mask)
        near1, near2 = (self.queue.nearest(rows, image) for rows in (z1, z2))
        if training:
            self.queue.push(z1, image)
        return {"loss": losses.nnclr(near1, p2, near2, p1, self.temperature)}
