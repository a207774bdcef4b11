"""The networks of CLIP beside the encoder: a Transformer over the characters of a text, and pooling of frames.

Radford et al. 2021, arXiv:2103.00020.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from keras import initializers, layers

from seqclr.nn.blocks import Positions, TransformerBlock

START, UNKNOWN, FIRST = 0, 1, 2  # rows of the table: before every text, any unknown character, the first known one
HEADS = 4  # of attention
FILL = 0  # the code point after the end of a text


def code_points(texts: Sequence[str], length: int) -> np.ndarray:
    """The code points of the first `length` characters of texts, `int32 [N, L]`, filled with FILL."""
    rows = np.full((len(texts), max(1, min(length, max(map(len, texts), default=0)))), FILL, np.int32)
    for row, text in zip(rows, texts):
        row[: len(text)] = [ord(character) for character in text[:length]]
    return rows


class CharacterTransformer(layers.Layer):
    """A text encoder: code points `int32 [B, L]`, filled with FILL, to features `[B, dim]`.

    characters: the known code points, ascending; they are in the checkpoint. The features are those of a start token
    before the text. Unlike CLIP's, attention is not causal, and the tokens are characters.
    """

    def __init__(self, characters: Sequence[int], dim: int, depth: int, **kwargs):
        super().__init__(**kwargs)
        self.characters = self.add_weight(
            shape=(len(characters),), dtype="int32", initializer="zeros", trainable=False, name="characters"
        )
        self.characters.assign(np.array(characters, np.int32))
        unit = initializers.RandomNormal(stddev=1.0)  # as large as the sines that are added
        self.table = self.add_weight(shape=(FIRST + len(characters), dim), initializer=unit, name="table")
        self.positions = Positions("sinusoidal", name="positions")
        self.blocks = [TransformerBlock(HEADS, 0.0, name=f"block{i}") for i in range(depth)]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="norm")
        self(tf.zeros((1, 1), tf.int32))

    def call(self, codes, training=False):
        x = tf.matmul(tf.one_hot(self.ids(codes), self.table.shape[0]), tf.cast(self.table, tf.float32))
        valid = tf.pad(codes != FILL, [[0, 0], [1, 0]], constant_values=True)
        x = self.positions(tf.cast(x, self.compute_dtype), valid)
        for block in self.blocks:
            x = block(x, valid, training=training)
        return self.norm(x[:, 0])

    def ids(self, codes) -> tf.Tensor:
        """The rows of the table for a start token and the characters, `int32 [B, 1 + L]`."""
        known = self.characters.value
        nearest = tf.minimum(tf.searchsorted(known, tf.reshape(codes, [-1])), tf.size(known) - 1)
        nearest = tf.reshape(nearest, tf.shape(codes))
        ids = tf.where(tf.gather(known, nearest) == codes, nearest + FIRST, UNKNOWN)
        return tf.pad(ids, [[0, 0], [1, 0]], constant_values=START)


class AttentionPool(layers.Layer):
    """Pools frames `[B, T, D]` into `[B, D]`: attention of their mean to the frames and their positions.

    valid: `bool [B, T]`, frames that are no padding; None: all.
    """

    def __init__(self, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.positions = Positions("sinusoidal", name="positions")
        self.attention = layers.MultiHeadAttention(HEADS, dim // HEADS, name="attention")
        self(tf.zeros((1, 1, dim)))

    def call(self, frames, valid=None, training=False):
        x = self.positions(frames, valid)
        weights = tf.ones_like(x[..., :1]) if valid is None else tf.cast(valid, x.dtype)[..., None]
        mean = tf.reduce_sum(weights * x, 1, keepdims=True) / tf.reduce_sum(weights, 1, keepdims=True)
        mask = None if valid is None else valid[:, None, :]
        return self.attention(mean, x, attention_mask=mask, training=training)[:, 0]
