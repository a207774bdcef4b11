"""RCLSTR: contrast of frames, segments and lines."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr import losses
from seqclr.config import key
from seqclr.methods.base import one_view
from seqclr.methods.contrastive.moco import MoCo
from seqclr.methods.registry import register
from seqclr.nn import frames
from seqclr.nn.heads import mlp
from seqclr.nn.momentum import Momentum
from seqclr.nn.norm import by_batch
from seqclr.nn.queue import Queue
from seqclr.nn.replicas import gather


@register(
    "rclstr",
    paper="Zhang et al. 2023, arXiv:2308.00508",
    negatives="keys of earlier batches, at each level",
    stores="queues of keys of frames, segments and lines",
    needs_lines="segments are parts of a line",
)
@dataclass
class RCLSTR(MoCo):
    """MoCo at three levels (Zhang et al. 2023, arXiv:2308.00508): frames, segments and lines, each with a head and a
    queue of its own.

    The relations of an instance are the softmax of its cosines with the keys of a queue. Those of a query agree with
    those of its key, those of a frame with those of its segment, and those of a segment with those of its line. The
    paper also exchanges halves between two lines, to vary the context of a frame; this is left out, as the frames of
    the layer `cnn` see little of it.
    """

    segments: int = key(4, "segments of a line", least=1, most=1000)
    relations: float = key(0.3, "weight of the agreement of relations, relative to the contrastive loss", least=0)
    relation_temperature: float = key(0.04, "temperature of the relations' softmax", least=1e-3)

    def make_target(self):
        dims, dim = (self.projection_dim,), self.encoder.dim
        self.segment_projector = mlp(dims, "segment_projector", input_dim=dim)
        self.line_projector = mlp(dims, "line_projector", input_dim=dim)
        self.segment_queue = Queue(self.queue_size, self.projection_dim, name="segment_queue")
        self.line_queue = Queue(self.queue_size, self.projection_dim, name="line_queue")
        heads = self.projector, self.segment_projector, self.line_projector
        self.target = Momentum(self.encoder, *heads, name="target")

    def levels(self, batch: dict[str, tf.Tensor], training: bool):
        """Instances of one view at each level and their visibility, `float32 [B, N, D]` and `bool [B, N]`."""
        features, mask = self.encode(batch, training)
        projectors, levels = (self.projector, self.segment_projector, self.line_projector), []
        for projector, kind in zip(projectors, self.kinds()):
            z, visible = self.pool(projector(features, mask, training=training), batch, mask, kind)
            levels.append((z, tf.ones(tf.shape(z)[:2], tf.bool) if visible is None else visible))
        return levels

    def kinds(self) -> tuple[str, ...]:
        """The instance mapping of each level."""
        return self.frames, f"windows:{self.segments}", "all"

    def loss(self, batch, training):
        queries = self.levels(one_view(batch, 0), training)
        with self.target.weights_in_use(), by_batch(training):
            keys = self.levels(one_view(batch, 1), training=False)
        queues = self.queue, self.segment_queue, self.line_queue
        held = [queue.keys.value for queue in queues]
        rows = [pairs(*query, *key) for query, key in zip(queries, keys)]
        contrast = sum(losses.info_nce_queue(*both, queue, self.temperature) for both, queue in zip(rows, held))
        upward = [pairs(*queries[level - 1], *self.raised(keys, level, batch)) for level in (1, 2)]
        relations = sum(
            losses.relational(*both, queue, self.relation_temperature)
            for both, queue in zip([*rows, *upward], [*held, *held[1:]])
        )
        if training:
            for (_, level_keys), queue in zip(rows, queues):
                queue.push(level_keys)
        return {"loss": contrast + self.relations * relations, "contrast": contrast, "relations": relations}

    def raised(self, keys: list, level: int, batch: dict[str, tf.Tensor]):
        """For each instance of the level below, the key of the instance that it is a part of, and its visibility."""
        count, stride = self.encoder.grid[1], self.encoder.STRIDE
        filled = -(-batch["width"] // stride) if "width" in batch else tf.fill(tf.shape(batch["index"]), count)
        parents = frames.parents(*self.kinds()[level - 1 : level + 1], count, filled)
        return [tf.gather(part, parents, batch_dims=1) for part in keys[level]]


def pairs(query, query_visible, key, key_visible):
    """Queries and keys that are visible in both views, `[N, D]`, of all replicas."""
    visible = tf.reshape(query_visible & key_visible, [-1])
    return [gather(tf.boolean_mask(tf.reshape(z, [-1, z.shape[-1]]), visible)) for z in (query, key)]
