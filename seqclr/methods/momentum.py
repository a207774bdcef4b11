"""What methods share whose targets come from a copy of the network that follows it slowly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import Instances, TwoViewMethod
from seqclr.nn.momentum import Momentum
from seqclr.nn.norm import by_batch


@dataclass
class MomentumMethod(TwoViewMethod):
    """Two views; `self.target` is a copy of encoder and projector, equal to them at first.

    The copy normalises by the statistics of its batch, as the papers' code does, and is never updated by a gradient.
    """

    rises: ClassVar[bool] = True  # whether what the copy keeps does, by a half cosine to 1

    target_momentum: float = key(
        0.99, "what the copy keeps of itself in a step; rises to 1 by a half cosine", least=0, most=1
    )

    def follow(self) -> None:
        """Makes the copy; the last thing in `build`, once there is a projector."""
        self.target = Momentum(self.encoder, self.projector, name="target")

    def embed_target(self, batch: dict[str, tf.Tensor], training: bool):
        """`embed` through the copy, without dropout."""
        with self.target.weights_in_use(), by_batch(training):
            return self.embed(batch, training=False)

    def query_and_key(self, batch: dict[str, tf.Tensor], training: bool) -> Instances:
        """Of the first view what the network makes of it, of the second what the copy does: for losses of one
        direction, so that no view goes through a network whose answer nobody needs."""
        first, second = ({**batch, "views": batch["views"][:, i : i + 1]} for i in range(2))
        _, mask, query = self.embed(first, training)
        _, other, key = self.embed_target(second, training)
        mask = None if mask is None else tf.concat([mask, other], axis=0)
        return self.instances(tf.concat([query, tf.stop_gradient(key)], axis=0), batch, mask)

    def decay(self) -> float | tf.Tensor:
        """What the copy keeps at this step."""
        if not self.rises:
            return self.target_momentum
        done = tf.cast(self.target.updates.value, tf.float32) / max(1, self.run.total_steps)
        return 1 - (1 - self.target_momentum) * (1 + tf.cos(math.pi * done)) / 2

    def after_step(self):
        self.target.update(self.decay())
