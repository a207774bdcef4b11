"""The contract: a method is how one image becomes an example, and what a batch of examples costs.

A method is a dataclass; its fields are the paper's defaults and become configuration keys and flags. Its layers and
variables are plain attributes, made in `build`, and a checkpoint holds all of them.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import keras
import tensorflow as tf

from seqclr.nn import frames
from seqclr.nn.replicas import gather


@dataclasses.dataclass
class Method(abc.ABC):
    """A method needs `recipe`, `build` and `loss`; the rest have defaults."""

    recipe: ClassVar[type]
    defaults: ClassVar[dict[str, Any]] = {}  # what this method wants other than the common configuration
    total_steps: ClassVar[int] = 0  # of the run; the trainer sets it

    def build(self, encoder: keras.Model) -> None:
        """Makes the heads; `encoder.dim` is the size of a feature."""
        self.encoder = encoder

    @abc.abstractmethod
    def loss(self, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """`{"loss": scalar, ...}` of a batch that `recipe` made; further scalars are shown and kept in metrics.csv."""

    def parts(self) -> dict[str, Any]:
        """Its layers and variables by attribute name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, keras.Layer | keras.Variable)}

    def frozen(self, step: int) -> frozenset[str]:
        """The parts that do not learn at a step. It may change a few times in a run: each change is a new trace."""
        return frozenset()

    def learning_rate_factors(self) -> dict[str, float]:
        """Parts that learn at a multiple of the common rate."""
        return {}


@dataclasses.dataclass
class TwoViewMethod(Method):
    """Two views of every image, their frames pooled into instances."""

    frames: str = "frames:5"

    def __post_init__(self):
        frames.check_frames(self.frames)

    def encode(self, batch: dict[str, tf.Tensor], training: bool):
        """Frame features of both views in one pass, so that batch norm sees both: `[2B, T, D]`, mask `[2B, T]` or None.

        The rows of the first view come first.
        """
        views = tf.concat([batch["views"][:, 0], batch["views"][:, 1]], axis=0)
        widths = tf.tile(batch["width"], [2]) if "width" in batch else None  # there only where lines are padded
        return self.encoder(views, widths, training=training)

    def instances(self, x: tf.Tensor, mask) -> tuple[tf.Tensor, tf.Tensor]:
        """Instances of both views, `[N, D]` each, of all replicas; windows of padding alone are left out."""
        pooled, valid = frames.pool(tf.cast(x, tf.float32), self.frames, mask)
        if valid is None:
            halves = [tf.reshape(half, [-1, x.shape[-1]]) for half in tf.split(pooled, 2)]
        else:
            halves = [tf.boolean_mask(*half) for half in zip(tf.split(pooled, 2), tf.split(valid, 2))]
        return gather(halves[0]), gather(halves[1])
