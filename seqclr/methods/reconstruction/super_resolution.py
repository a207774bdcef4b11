"""Super-resolution: the detail that an image has lost."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.losses.common import masked_mean
from seqclr.methods.reconstruction.adversarial import Adversarial
from seqclr.methods.reconstruction.base import pixels
from seqclr.methods.registry import register
from seqclr.transforms.corrupted import CoarseImage


@register("super_resolution", paper="Ledig et al. 2017, arXiv:1609.04802")
@dataclass
class SuperResolution(Adversarial):
    """Ledig et al. 2017, arXiv:1609.04802. An image that was reduced and enlarged again gets its detail back.

    The decoder draws what the enlarged image, which is the trivial predictor, lacks; it grows from the map, where the
    paper's network keeps the size of the reduced image. As there, it first learns by the error of pixels alone, then
    has to pass for true. The content of the second part of the run is compared by features, where a run is named whose
    encoder gives them: the paper's are those of VGG.
    """

    transform = CoarseImage
    bottleneck = False

    factor: int = key(
        4, "by what the sides are reduced; small pictures keep more of what they show with 2", least=2, most=64
    )
    adversarial_start: float = key(0.5, "part of the run before drawings have to pass for true", least=0, most=1)
    perceptual: str | None = key(
        None, "a run whose frozen encoder compares them from then on; without it, pixels are", free=True
    )

    def make_transform(self, views):
        return CoarseImage(views, self.factor)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.perceptual_encoder = self.run.load_encoder(self.perceptual) if self.perceptual else None

    def frozen(self, step):
        return frozenset({"discriminator"} if step < int(self.adversarial_start * self.run.total_steps) else ())

    def ground(self, batch):
        return pixels(batch["shown"])

    def loss(self, batch, training):
        drawn, target = self.draw(batch, training), pixels(batch["image"])
        errors = self.errors(drawn, batch)
        if not self.discriminator.trainable:  # as it is frozen
            return {"loss": errors["error"], "passing": 0.0, "adversary_loss": 0.0, **errors}
        inside = tf.cast(self.scored(batch), tf.float32)[..., None]
        passing, told = self.judge(inside * target, inside * drawn, batch.get("width"))
        content = self.difference(drawn, target, batch.get("width")) if self.perceptual_encoder else errors["error"]
        return {"loss": content + self.adversarial * passing, "passing": passing, "adversary_loss": told, **errors}

    def difference(self, drawn: tf.Tensor, target: tf.Tensor, widths: tf.Tensor | None) -> tf.Tensor:
        """The mean squared one of features, those of padding left out."""
        (found, mask), (wanted, _) = (self.perceptual_encoder(255 * x, widths) for x in (drawn, target))
        each = tf.reduce_mean(tf.square(tf.cast(found, tf.float32) - tf.cast(wanted, tf.float32)), axis=-1)
        return tf.reduce_mean(each if mask is None else masked_mean(each, mask, axis=1))
