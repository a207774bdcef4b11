"""The network of a modality that is not colour."""

from __future__ import annotations

from keras import layers, ops

from seqclr.nn.blocks import ConvNorm, scaled, serializable

WIDTHS = (32, 64, 128)


@serializable
class ModalityNetwork(layers.Layer):
    """Three convolutions of stride 2 and a linear layer of their mean.

    Call: images `uint8 [B, h, w, C]` of any size to embeddings `[B, dim]`.
    """

    def __init__(self, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [ConvNorm(width, 3, 2, name=f"conv{i}") for i, width in enumerate(WIDTHS)]
        self.embedding = layers.Dense(dim, name="embedding")

    def call(self, images, training=False):
        x = ops.cast(scaled(images), self.compute_dtype)
        for convolution in self.convolutions:
            x = convolution(x, training=training)
        return self.embedding(ops.mean(x, axis=(1, 2)))
