"""Contrast of frames and prediction of masked strips, together."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import stacked
from seqclr.methods.contrastive.simclr import SimCLR
from seqclr.methods.reconstruction.masked import StripReconstruction
from seqclr.methods.registry import register


@register("masked_simclr", paper="Yang et al. 2022, arXiv:2207.00193")
@dataclass
class MaskedSimCLR(StripReconstruction, SimCLR):
    """The two objectives of DiG on frames (Yang et al. 2022, arXiv:2207.00193): SimCLR makes them robust,
    reconstruction keeps the glyphs in them.

    Both views have masked strips. The Transformer's frames predict these, those of `layer` are contrasted. DiG masks
    70 % of the patches of one view, and contrasts four windows of a line by MoCo v3's loss, which has a tenth of the
    weight: the nearest settings here are `frames=windows:4 layer=transformer temperature=0.2 reconstruction=10`.
    """

    copies = 2
    reconstruction: float = key(1.0, "weight of the reconstruction loss, relative to the contrastive loss", least=0)

    def loss(self, batch, training):
        widths = tf.tile(batch["width"], [2]) if "width" in batch else None
        (cnn, transformer), mask = self.encoder(stacked(batch["views"]), widths, training=training, layer="pair")
        z = self.projector(cnn if self.layer == "cnn" else transformer, mask, training=training)
        contrast = self.compare(self.instances(z, batch, mask))
        error = self.reconstruction_losses(transformer, batch, widths)["loss"]
        return {"loss": contrast + self.reconstruction * error, "contrast": contrast, "reconstruction": error}
