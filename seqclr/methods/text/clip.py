"""CLIP: images and their texts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import keras
import tensorflow as tf

from seqclr import losses
from seqclr.config import DEEPEST, WIDEST, key
from seqclr.data.charset import normalize
from seqclr.errors import UserError
from seqclr.losses.common import products
from seqclr.methods.base import Method, stacked
from seqclr.methods.registry import register
from seqclr.methods.text.labels import texts_of
from seqclr.nn.replicas import gather
from seqclr.nn.texts import HEADS, AttentionPool, CharacterTransformer, code_points
from seqclr.transforms.labelled import label_preserving
from seqclr.transforms.two_views import OneView

LARGEST_SCALE = math.log(100)


@register(
    "clip",
    paper="Radford et al. 2021, arXiv:2103.00020",
    negatives="other texts and images of the batch",
    needs_whole_batch="the other images of it are the negatives",
)
@dataclass
class CLIP(Method):
    """Contrast of images with their texts, which a second encoder reads by characters (Radford et al. 2021,
    arXiv:2103.00020).

    Texts are the labels, of lines or of classes, or pseudo-labels. Images of the same text in a batch are all positives
    of it, with equal weight. The scale of the cosines is learned. Longer texts are cut to `text_length`.
    """

    transform = OneView
    uses_labels = True
    line_defaults: ClassVar[dict] = {"views": "strong"}

    temperature: float = key(0.07, "initial temperature of the softmax; it is learned, at least 0.01", least=0.01)
    projection_dim: int = key(128, "size of the space of images and texts; 512 in the paper", least=1, most=WIDEST)
    text_dim: int = key(128, "width of the text encoder, a multiple of 4; 512 in the paper", least=4, most=WIDEST)
    text_depth: int = key(2, "Transformer blocks of the text encoder; 12 in the paper", least=1, most=DEEPEST)
    text_length: int = key(128, "characters of a text that are used; 76 tokens in the paper", least=1, most=10**4)

    texts = ()
    characters = ()  # the code points in the texts, ascending

    def __post_init__(self):
        super().__post_init__()
        if self.text_dim % HEADS:
            raise UserError(f"text_dim {self.text_dim}: a multiple of {HEADS}, the number of attention heads")

    def prepare(self, samples):
        self.texts = [normalize(text, "keep")[: self.text_length] for text in texts_of(samples, "clip")]
        self.characters = sorted({ord(character) for text in self.texts for character in text})

    def build(self, encoder, run=None):
        super().build(encoder, run)
        if encoder.lines:
            label_preserving(self.run.views)
        numbers: dict[str, int] = {}
        self.labels = tf.constant([numbers.setdefault(text, len(numbers)) for text in self.texts], tf.int32)
        self.codes = tf.constant(code_points(self.texts, self.text_length))
        self.text_encoder = CharacterTransformer(self.characters, self.text_dim, self.text_depth, name="text_encoder")
        self.pool = AttentionPool(encoder.dim, name="pool")
        self.projector, self.text_projector = (
            keras.layers.Dense(self.projection_dim, use_bias=False, name=name)
            for name in ("projector", "text_projector")
        )
        self.projector.build((None, encoder.dim))
        self.text_projector.build((None, self.text_dim))
        self.logit_scale = keras.Variable(-math.log(self.temperature), name="logit_scale")

    def image_vectors(self, images, widths=None, training=False) -> tf.Tensor:
        """The projections `[B, D]` of images `uint8 [B, H, W, 3]`. widths: as of the encoder."""
        frames, valid = self.encoder(images, widths, training=training)
        return self.projector(self.pool(frames, valid, training=training))

    def text_vectors(self, codes, training=False) -> tf.Tensor:
        """The projections `[B, D]` of texts, of code points `int32 [B, L]`."""
        return self.text_projector(self.text_encoder(codes, training=training))

    def loss(self, batch, training):
        codes, labels = (tf.gather(values, batch["index"]) for values in (self.codes, self.labels))
        images = self.image_vectors(stacked(batch["views"]), batch.get("width"), training)
        images, texts, labels = map(gather, (images, self.text_vectors(codes, training), labels))
        best = tf.gather(labels, tf.argmax(products(images, tf.math.l2_normalize(texts, -1)), axis=1))
        return {
            "loss": losses.clip(images, texts, self.logit_scale.value, labels),
            "accuracy": tf.reduce_mean(tf.cast(best == labels, tf.float32)),
            "scale": tf.exp(self.logit_scale.value),
        }

    def after_step(self):
        self.logit_scale.assign(tf.minimum(self.logit_scale.value, LARGEST_SCALE))  # above it would have no gradient

    def preview_inputs(self, batch):
        return {**super().preview_inputs(batch), "text": [self.texts[index] for index in batch["index"]]}
