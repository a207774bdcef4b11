"""CPC (contrastive predictive coding): prediction of the next frames from the frames before them."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.errors import UserError
from seqclr.methods.base import Method
from seqclr.methods.registry import register
from seqclr.nn.replicas import gather
from seqclr.transforms.two_views import OneView


@register(
    "cpc",
    paper="van den Oord et al. 2018, arXiv:1807.03748",
    negatives="other frames of the batch",
    needs_whole_batch="the other frames of it are the negatives",
)
@dataclass
class CPC(Method):
    """Contrast of predicted frames with all frames of the batch (van den Oord et al. 2018, arXiv:1807.03748).

    A recurrent network runs over the frames of a line and predicts the next ones; in an image, it runs down each column
    of positions. directions=2 also runs backwards and, for images, 4 along the rows as well: the second version (Hénaff
    et al. 2020, arXiv:1905.09272), but with batch norm where its encoder has layer norm. Each direction has its own
    weights. The loss is the mean over steps and directions, which the papers add up. The frames are the CNN's, because
    the Transformer's see the whole line. The receptive fields of neighbours overlap, as the papers' patches do, so the
    first steps are easy.
    """

    transform = OneView
    layer = "cnn"

    steps_ahead: int = key(
        4, "number of frames, or rows of an image, that are predicted; at most as many as follow", least=1
    )
    directions: int = key(
        1,
        "number of directions: 1 (forwards), 2 (backwards too) or 4 (along the rows too, images only)",
        choices=(1, 2, 4),
    )
    context_dim: int = key(256, "units of the recurrent network", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        rows, columns = encoder.grid
        self.ways = [(down, back) for down in ((True, False) if rows > 1 else (False,)) for back in (False, True)]
        self.ways = self.ways[: self.directions]
        if len(self.ways) < self.directions:
            raise UserError(f"directions {self.directions}: a line of text has 2, forwards and backwards")
        for i, (down, _) in enumerate(self.ways):
            steps = min(self.steps_ahead, (rows if down else columns) - 1)
            if steps < 1:
                raise UserError(f"{rows}x{columns} frames leave none to predict: take larger height and width")
            reader = keras.layers.GRU(self.context_dim, return_sequences=True, name="context")
            steps = keras.layers.Dense(steps * encoder.dim, use_bias=False, name="steps")
            setattr(self, f"predictor{i}", keras.Sequential([reader, steps], name=f"predictor{i}"))
            getattr(self, f"predictor{i}").build((None, None, encoder.dim))

    def loss(self, batch, training):
        frames, mask = self.encoder(batch["views"][:, 0], batch.get("width"), training=training, layer=self.layer)
        frames = tf.reshape(tf.cast(frames, tf.float32), [-1, *self.encoder.grid, self.encoder.dim])
        each = []
        for i, way in enumerate(self.ways):
            line, lengths = sequences(frames, mask, *way)
            each += self.step_losses(getattr(self, f"predictor{i}")(line, training=training), line, lengths)
        return {"loss": tf.add_n(each) / len(each)}

    def step_losses(self, predicted: tf.Tensor, frames: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        """The loss of each step ahead.

        predicted: `[N, T, steps * D]`, from each frame. frames: `[N, T, D]`. lengths: `[N]`, frames without padding.
        """
        count, dim = frames.shape[1:]
        each = []
        for step, prediction in enumerate(tf.split(predicted, predicted.shape[2] // dim, axis=2), 1):
            visible = tf.range(step, count) < lengths[:, None]
            pairs = [gather(tf.boolean_mask(x, visible))[None] for x in (prediction[:, :-step], frames[:, step:])]
            some = tf.shape(pairs[0])[1] > 0  # False where all lines are shorter
            each.append(tf.cond(some, lambda pairs=pairs: losses.cpc(*pairs), lambda: tf.constant(0.0)))
        return each


def sequences(frames: tf.Tensor, mask, down: bool, back: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """The columns (down) or rows of frames `[B, h, w, D]` as sequences `[N, T, D]`, and their lengths `[N]`.

    mask: `[B, w]`, of a line: the frames without padding; None: all. back: in reverse order, the padding at the end.
    """
    line = tf.transpose(frames, (0, 2, 1, 3)) if down else frames
    line = tf.reshape(line, [-1, *line.shape[2:]])
    full = tf.fill([tf.shape(line)[0]], line.shape[1])
    lengths = full if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    return tf.reverse_sequence(line, lengths, seq_axis=1) if back else line, lengths
