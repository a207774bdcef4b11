"""Contrast of frames and drawing of masked strips, together."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import stacked
from seqclr.methods.contrastive.simclr import SimCLR
from seqclr.methods.reconstruction.masked import Drawing
from seqclr.methods.registry import register


@register("masked_simclr", paper="Yang et al. 2022, arXiv:2207.00193")
@dataclass
class MaskedSimCLR(Drawing, SimCLR):
    """The two objectives of DiG (Yang et al. 2022, arXiv:2207.00193) on frames: SimCLR makes them robust, drawing
    hidden strips keeps the glyphs in them.

    Both views have hidden strips. The Transformer's frames draw, those of `layer` are compared.
    """

    copies = 2
    drawing: float = key(1.0, "weight of drawing beside contrast", least=0)

    def loss(self, batch, training):
        widths = tf.tile(batch["width"], [2]) if "width" in batch else None
        (cnn, transformer), mask = self.encoder(stacked(batch["views"]), widths, training=training, layer="pair")
        z = self.projector(cnn if self.layer == "cnn" else transformer, mask, training=training)
        contrast = self.compare(self.instances(z, batch, mask))
        drawing = self.draw(transformer, batch, widths)["loss"]
        return {"loss": contrast + self.drawing * drawing, "contrast": contrast, "drawing": drawing}
