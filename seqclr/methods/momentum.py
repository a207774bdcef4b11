"""Methods with a target network: an exponential moving average (EMA) of the trained network that gives the targets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import Instances, TwoViewMethod, one_view
from seqclr.nn.momentum import Momentum
from seqclr.nn.norm import by_batch


@dataclass
class MomentumMethod(TwoViewMethod):
    """Two views; `self.target` holds the averages of encoder and projector, which start as copies of them.

    The target network normalises by the statistics of its batch, as the papers' code does, and gets no gradient.
    """

    decay_rises: ClassVar[bool] = True  # whether the decay rises to 1 during the run, by a half cosine

    target_momentum: float = key(
        0.99, "EMA decay of the target network at the start; it rises to 1 by a half cosine", least=0, most=1
    )

    def make_target(self) -> None:
        """Makes the target network. Called at the end of `build`, after the projector is made."""
        self.target = Momentum(self.encoder, self.projector, name="target")

    def embed_target(self, batch: dict[str, tf.Tensor], training: bool):
        """`embed` by the target network, without dropout."""
        with self.target.weights_in_use(), by_batch(training):
            return self.embed(batch, training=False)

    def query_and_key(self, batch: dict[str, tf.Tensor], training: bool) -> Instances:
        """Projections of the first view by the trained network and of the second by the target network.

        For losses of one direction: neither view is encoded by a network whose output is not used.
        """
        _, mask, query = self.embed(one_view(batch, 0), training)
        _, other, key = self.embed_target(one_view(batch, 1), training)
        mask = None if mask is None else tf.concat([mask, other], axis=0)
        return self.instances(tf.concat([query, tf.stop_gradient(key)], axis=0), batch, mask)

    def decay(self) -> float | tf.Tensor:
        """The decay at this step."""
        if not self.decay_rises:
            return self.target_momentum
        done = tf.cast(self.target.updates.value, tf.float32) / max(1, self.run.total_steps)
        return 1 - (1 - self.target_momentum) * (1 + tf.cos(math.pi * done)) / 2

    def after_step(self):
        self.target.update(self.decay())
