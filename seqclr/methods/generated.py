"""Reading generated pages: the labels are what the generator drew, so they cost nothing."""

from __future__ import annotations

import string
from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.data.charset import Charset
from seqclr.methods.base import Method, stacked
from seqclr.methods.ctc import ctc_head, ctc_loss
from seqclr.recipes.text import GeneratedPages


@dataclass
class Generated(Method):
    """CTC on pages of which everything but the text is drawn by chance: domain randomization (Tobin et al. 2017,
    arXiv:1703.06907).

    The images of the run only say how large a page is. Its head stays with the encoder, so the run reads, and
    fine-tuning starts from what it reads.
    """

    recipe = GeneratedPages
    needs_lines = "CTC spells a text over the frames of a line"
    characters: str = key(string.digits + string.ascii_letters, "what the generated pages show")
    case: str = key("lower", "keep, lower or upper: how they are read; few captchas ask which of c and C it was")
    pages: int = key(1, "generated pages for every image of a batch")

    def __post_init__(self):
        super().__post_init__()
        self.charset = Charset(self.characters, self.case)

    def make_recipe(self, views):
        return GeneratedPages(views, self.characters, self.charset, self.pages)

    def build(self, encoder):
        super().build(encoder)
        self.head = ctc_head(encoder.dim, len(self.charset) + 1, self.dropout)

    def read(self, features: tf.Tensor, mask: tf.Tensor | None, batch: dict[str, tf.Tensor], training: bool):
        """The CTC loss of the generated pages' frames."""
        labels = stacked(batch["label"])
        return tf.reduce_mean(ctc_loss(labels, self.head(features, training=training), mask))

    def loss(self, batch, training):
        widths = stacked(batch["generated_width"]) if "generated_width" in batch else None
        features, mask = self.encoder(stacked(batch["generated"]), widths, training=training)
        return {"loss": self.read(features, mask, batch, training)}
