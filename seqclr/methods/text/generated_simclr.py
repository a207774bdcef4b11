"""CTC on generated images and contrast of real ones, together."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import stacked
from seqclr.methods.contrastive.simclr import SimCLR
from seqclr.methods.registry import register
from seqclr.methods.text.generated import Generated
from seqclr.transforms.two_views import TwoViews


@register("generated_simclr")
@dataclass
class GeneratedSimCLR(Generated, SimCLR):
    """CTC on generated images teaches the characters, contrast of the real images their appearance.

    A batch has generated images and two views of every image. All are encoded in one pass, so that batch norm sees the
    real images as well; the frames of `layer` are contrasted, those of the Transformer have the CTC loss.
    """

    generated_images: int = key(3, "generated images per image of a batch", least=1, most=100)
    generated_views: str = key("strong", "augmentation of the generated images", free=True)
    contrast: float = key(0.3, "weight of the contrastive loss, relative to the CTC loss", least=0)

    def make_transform(self, views):
        return self.generator_transform(self.generated_views, TwoViews(views))

    def loss(self, batch, training):
        generated = stacked(batch["generated"])
        count = tf.shape(generated)[0]
        images = tf.concat([generated, stacked(batch["views"])], axis=0)
        widths = None
        if "width" in batch:
            widths = tf.concat([stacked(batch["generated_width"]), tf.tile(batch["width"], [2])], axis=0)
        (cnn, transformer), mask = self.encoder(images, widths, training=training, layer="pair")
        generated_mask, real_mask = (None, None) if mask is None else (mask[:count], mask[count:])
        ctc = self.text_loss(transformer[:count], generated_mask, batch, training)
        z = self.projector((cnn if self.layer == "cnn" else transformer)[count:], real_mask, training=training)
        contrast = self.compare(self.instances(z, batch, real_mask))
        figures = {"loss": ctc + self.contrast * contrast, "ctc": ctc, "contrast": contrast}
        return self.with_other_losses(figures, transformer, mask, batch, training)
