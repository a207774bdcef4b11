"""Reading of generated pages and contrast of real ones, together."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import stacked
from seqclr.methods.generated import Generated
from seqclr.methods.simclr import SimCLR
from seqclr.recipes.text import TwoViews


@dataclass
class GeneratedSimCLR(Generated, SimCLR):
    """The generated pages teach what a character is, contrast of the real ones what it looks like there.

    Generated pages stand beside the two views of every image. All go through the encoder in one pass, so that batch
    norm sees the real pages as well; the frames of `layer` are compared, the Transformer's are read.
    """

    pages: int = key(3, "generated pages for every image of a batch", least=1, most=100)
    generated_views: str = key("strong", "augmentation of the generated pages", free=True)
    contrast: float = key(0.3, "weight of the contrast beside reading", least=0)

    def make_recipe(self, views):
        return self.page_recipe(self.generated_views, TwoViews(views))

    def loss(self, batch, training):
        pages = stacked(batch["generated"])
        count = tf.shape(pages)[0]
        images = tf.concat([pages, stacked(batch["views"])], axis=0)
        widths = None
        if "width" in batch:
            widths = tf.concat([stacked(batch["generated_width"]), tf.tile(batch["width"], [2])], axis=0)
        (cnn, transformer), mask = self.encoder(images, widths, training=training, layer="pair")
        generated, real = (None, None) if mask is None else (mask[:count], mask[count:])
        reading = self.read(transformer[:count], generated, batch, training)
        z = self.projector((cnn if self.layer == "cnn" else transformer)[count:], real, training=training)
        contrast = self.compare(self.instances(z, batch, real))
        figures = {"loss": reading + self.contrast * contrast, "reading": reading, "contrast": contrast}
        return self.tell(figures, transformer, mask, batch)
