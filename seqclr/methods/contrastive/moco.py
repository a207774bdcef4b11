"""MoCo on frames, the first version and the second."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.errors import UserError
from seqclr.methods.momentum import MomentumMethod
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp
from seqclr.nn.queue import Queue


@register(
    "moco",
    paper="He et al. 2020, arXiv:1911.05722",
    negatives="keys of earlier batches",
    stores="a queue of keys",
    ema_network="key encoder",
)
@dataclass
class MoCo(MomentumMethod):
    """Contrast of a query with its key and a queue of keys of earlier batches (He et al. 2020, arXiv:1911.05722), in
    one direction.

    Batch norm uses the statistics of all replicas, so keys are not shuffled between them. The paper's queue of 65,536
    is for 1.3 million images.
    """

    decay_rises = False

    target_momentum: float = key(0.999, "EMA decay of the key encoder", least=0, most=1)
    queue_size: int = key(4096, "keys in the queue; a multiple of batch_size", least=1)
    temperature: float = key(0.07, "temperature of the softmax", least=1e-3)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        if self.run.batch_size and self.queue_size % self.run.batch_size:
            raise UserError(
                f"queue_size {self.queue_size}: take a multiple of batch_size, which is {self.run.batch_size}"
            )
        self.projector = self.make_projector(encoder.dim)
        self.queue = Queue(self.queue_size, self.projection_dim)
        self.make_target()

    def make_projector(self, dim: int):
        return mlp((self.projection_dim,), "projector", input_dim=dim)

    def loss(self, batch, training):
        queries, keys, *_ = self.query_and_key(batch, training)
        loss = losses.info_nce_queue(queries, keys, self.queue.keys.value, self.temperature)
        if training:
            self.queue.push(keys)
        return {"loss": loss}


@register("moco_v2", paper="Chen et al. 2020, arXiv:2003.04297")
@dataclass
class MoCoV2(MoCo):
    """MoCo with a two-layer head without batch norm and another temperature (Chen et al. 2020, arXiv:2003.04297)."""

    temperature: float = key(0.2, "temperature of the softmax", least=1e-3)
    hidden_dim: int = key(
        512, "width of the head's hidden layer; 2048 in the paper, for 2048 features", least=1, most=WIDEST
    )

    def make_projector(self, dim):
        return mlp((self.hidden_dim, self.projection_dim), "projector", input_dim=dim, norm=False)
