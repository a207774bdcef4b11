"""Projection and prediction heads of the OCR article: they act on every frame, before pooling."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from seqclr.nn.norm import BatchNorm, batch_norm

SLOPE = 0.18  # of the article's LeakyReLU


class Head(keras.Sequential):
    """Layers on the last axis of frames `[B, T, D]`. valid: `bool [B, T]`, frames that are no padding (None: all);
    batch norm excludes the others."""

    def call(self, x, valid=None, training=None):
        for layer in self.layers:
            if isinstance(layer, BatchNorm):
                x = layer(x, valid, training=training)
            else:
                x = layer(x)
        return x


def mlp(
    dims: Sequence[int],
    name: str,
    input_dim: int,
    norm: bool = True,
    output_norm: bool = False,
    output_scale: bool = False,
    l2: float = 0.0,
) -> Head:
    """Dense layers on the last axis of `[B, T, input_dim]`, with batch norm and LeakyReLU(0.18) between them.

    dims: the sizes of the layers' outputs. Batch norm follows every layer but the last, which then needs no bias.
    norm: False for no batch norm. output_norm: batch norm without offset after the last layer, and without scale unless
    output_scale. l2: weight of the L2 penalty of kernels.
    """
    regularizer = keras.regularizers.L2(l2) if l2 else None
    parts = hidden(dims[:-1], norm, regularizer)
    last = len(dims) - 1
    parts.append(layers.Dense(dims[-1], use_bias=not output_norm, kernel_regularizer=regularizer, name=f"dense{last}"))
    if output_norm:
        parts.append(batch_norm(name=f"bn{last}", center=False, scale=output_scale))
    head = Head(parts, name=name)
    head.build((None, None, input_dim))
    return head


def hidden(dims: Sequence[int], norm: bool = True, regularizer=None) -> list[layers.Layer]:
    """The hidden layers of `mlp`."""
    parts: list[layers.Layer] = []
    for i, dim in enumerate(dims):
        parts.append(layers.Dense(dim, use_bias=not norm, kernel_regularizer=regularizer, name=f"dense{i}"))
        if norm:
            parts.append(batch_norm(name=f"bn{i}"))
        parts.append(layers.LeakyReLU(negative_slope=SLOPE, name=f"relu{i}"))
    return parts


def hidden_weights(arrays: dict[str, np.ndarray], part: str, count: int) -> list[np.ndarray]:
    """The arrays of a checkpoint that belong to a part's first `count` hidden layers with batch norm, five each, or to
    as many as it has."""
    held = [array for name, array in arrays.items() if name.startswith(f"{part}/")]
    for i in range(count):
        kernel, *vectors = held[5 * i : 5 * i + 5] or [np.zeros(0)]
        if len(vectors) < 4 or kernel.ndim < 2 or any(vector.shape != kernel.shape[1:] for vector in vectors):
            return held[: 5 * i]
    return held[: 5 * count]
