"""Heads of the article: they act on every frame, pooling comes after them."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from seqclr.nn.norm import batch_norm

SLOPE = 0.18  # of the article's LeakyReLU


def mlp(
    dims: Sequence[int],
    name: str,
    hidden_norm: bool = True,
    output_norm: bool = False,
    l2: float = 0.0,
    input_dim: int | None = None,
) -> keras.Sequential:
    """Dense layers with LeakyReLU(0.18) between them, on the last axis of `[B, T, D]`.

    hidden_norm: batch norm after every layer but the last (which then needs no bias).
    output_norm: batch norm without offset and scale after the last.
    l2: weight of the squared kernels in the loss.
    """
    regularizer = keras.regularizers.L2(l2) if l2 else None
    parts: list[layers.Layer] = []
    for i, dim in enumerate(dims[:-1]):
        parts.append(layers.Dense(dim, use_bias=not hidden_norm, kernel_regularizer=regularizer, name=f"dense{i}"))
        if hidden_norm:
            parts.append(batch_norm(name=f"bn{i}"))
        parts.append(layers.LeakyReLU(negative_slope=SLOPE, name=f"relu{i}"))
    last = len(dims) - 1
    parts.append(layers.Dense(dims[-1], use_bias=not output_norm, kernel_regularizer=regularizer, name=f"dense{last}"))
    if output_norm:
        parts.append(batch_norm(name=f"bn{last}", center=False, scale=False))
    head = keras.Sequential(parts, name=name)
    if input_dim is not None:
        head.build((None, None, input_dim))
    return head
