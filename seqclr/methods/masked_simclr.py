"""Contrast of frames and drawing of masked strips, together."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import both
from seqclr.methods.masked import drawing_loss, strip_decoder
from seqclr.methods.simclr import SimCLR
from seqclr.recipes.text import MaskedViews


@dataclass
class MaskedSimCLR(SimCLR):
    """The two objectives of DiG (Yang et al. 2022, arXiv:2207.00193) on frames: SimCLR makes them robust, drawing
    hidden strips keeps the glyphs in them.

    Both views have hidden strips. The Transformer's frames draw, those of `layer` are compared.
    """

    spans: int = key(2, "strips that are hidden")
    span: int = key(12, "columns of each: fewer than a character has, or there is nothing to tell it from")
    visible: float = key(0.1, "weight of drawing the columns that are not hidden")
    drawing: float = key(1.0, "weight of drawing beside contrast")

    def make_recipe(self, views):
        return MaskedViews(views, 2, self.spans, self.span)

    def build(self, encoder):
        super().build(encoder)
        self.decoder = strip_decoder(encoder)

    def loss(self, batch, training):
        widths = tf.tile(batch["width"], [2]) if "width" in batch else None
        (cnn, transformer), mask = self.encoder(both(batch["views"]), widths, training=training, layer="pair")
        z = self.projector(cnn if self.layer == "cnn" else transformer, training=training)
        contrast = self.contrast(self.instances(z, batch, mask))
        pages, hidden = both(batch["pages"]), both(batch["hidden"])
        drawing = drawing_loss(self.decoder(transformer), pages, hidden, self.visible, widths)
        return {"loss": contrast + self.drawing * drawing, "contrast": contrast, "drawing": drawing}
