"""Base of the methods that learn from the order of frames: those of a sequence, or the slices of a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from seqclr.config import WIDEST, key
from seqclr.data.sequences import Sequences
from seqclr.methods.base import Method
from seqclr.nn.heads import mlp
from seqclr.transforms.order import SLICES
from seqclr.transforms.tiles import is_line


@dataclass
class Ordered(Method):
    """The encoder sees the images of a record one by one; a head classifies their features together.

    Images more than twice as wide as high are lines, whose slices in reading order replace the frames in time. In
    random characters the order shows only in strokes across a cut and in the margins; lines of a language suit better.
    """

    animated = True
    defaults: ClassVar[dict] = {"views": "none"}
    hidden_dim: int = key(256, "width of the head's hidden layer", least=1, most=WIDEST)

    def records(self, dataset):
        height, width, _ = dataset.shape
        return dataset if is_line(height, width) else Sequences(dataset, self.transform.shortest)

    def make_head(self, inputs: int, classes: int, slices: int) -> None:
        """slices: number in one image, of a line. Raises UserError where the encoder does not accept their size."""
        self.head = mlp((self.hidden_dim, classes), "head", input_dim=inputs)
        height, width = self.encoder.height, self.encoder.width
        width = slices * (width // SLICES) if is_line(height, width) else width
        self.check_accepts(height, width, "slices")

    def features(self, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        """The mean frame of every image, `float32 [B, N, D]`."""
        views = batch["views"]
        x, _ = self.encoder(tf.reshape(views, [-1, *views.shape[2:]]), training=training, layer=self.layer)
        return tf.reshape(tf.reduce_mean(tf.cast(x, tf.float32), axis=1), [-1, views.shape[1], x.shape[-1]])

    def logits(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        """Logits `float32 [B, classes]` of `[B, inputs]`."""
        return tf.cast(self.head(x[:, None], training=training), tf.float32)[:, 0]

    def preview_inputs(self, batch):
        return {str(i): views for i, views in enumerate(batch["views"].swapaxes(0, 1), 1)}
