"""CUT: translation whose patches stay recognizable."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.methods.registry import register
from seqclr.methods.translation.base import Translation, generated, joined, own
from seqclr.nn.generators import PatchProjectors, patch_indices
from seqclr.transforms.patch_positions import ImageWithPositions


@register(
    "cut",
    paper="Park et al. 2020, arXiv:2007.15651",
    negatives="other patches of the image",
    needs_lines="generated images show lines of text",
)
@dataclass
class CUT(Translation):
    """Translation of generated images into the domain of the run's images, in which each patch is recognized among the
    other patches of its image (Park et al. 2020, arXiv:2007.15651).

    PatchNCE compares the maps of the generator at four or five layers and, here, the frames of the encoder. The run's
    images, which should stay as they are, have the same loss. The positions are the same in all layers.
    FastCUT is `identity=false nce=10`.
    """

    nce: float = key(1.0, "weight of the PatchNCE loss, relative to the adversarial loss; 10 for FastCUT", least=0)
    identity: bool = key(True, "whether the run's own images have the PatchNCE loss too; false for FastCUT")
    temperature: float = key(0.07, "temperature of the PatchNCE softmax", least=1e-3)
    patches: int = key(64, "random positions of an image that are compared; 256 in the paper", least=2, most=WIDEST)
    projection_dim: int = key(64, "output size of the patches' projections; 256 in the paper", least=1, most=WIDEST)

    def of_the_run(self, views):
        return ImageWithPositions(views, self.patches)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        maps = self.compared(*self.encode(tf.zeros((1, encoder.height, encoder.width, 3)), None, training=False))
        self.projectors = PatchProjectors([x.shape[-1] for x, _ in maps], self.projection_dim)

    def loss(self, batch, training):
        (images, widths), (real, real_widths) = generated(batch), own(batch)
        count, positions, own_widths = tf.shape(images)[0], batch["positions"], widths
        if self.identity:
            images, positions = joined(images, real), tf.tile(positions, [2, 1, 1])
            widths = joined(widths, real_widths)
        keys = self.encode(images, widths, training)
        translated = self.generator.decode(keys[0], widths)
        nce = self.patch_nce(self.encode(translated, widths, training), keys, positions, widths)
        adversarial, discriminator = self.adversarial_losses(real, real_widths, translated[:count], own_widths)
        loss = adversarial + self.nce * nce
        return {"loss": loss, "generator_loss": adversarial, "nce": nce, "adversary_loss": discriminator}

    def compared(self, maps, frames) -> list[tuple[tf.Tensor, int]]:
        """The maps `[B, h, w, C]` whose patches are compared, and their strides in the image."""
        return [*((maps[layer], stride) for layer, stride in self.generator.compared()), (frames[:, None], 4)]

    def patch_nce(self, queries, keys, positions: tf.Tensor, widths: tf.Tensor | None) -> tf.Tensor:
        """The mean loss over the layers. queries, keys: as of `encode`, for translated images and the images before."""
        compared = self.compared(*queries), self.compared(*keys)
        indices = [patch_indices(positions, x.shape[1:3], widths, stride) for x, stride in compared[0]]
        rows = (self.projectors([take(x, i) for (x, _), i in zip(maps, indices)]) for maps in compared)
        each = [losses.patch_nce(q, k, self.temperature, i) for q, k, i in zip(*rows, indices)]
        return tf.add_n(each) / len(each)


def take(x: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    """The rows `[B, P, C]` of a map `[B, h, w, C]` at indices that count row by row."""
    return tf.gather(tf.reshape(x, [-1, x.shape[1] * x.shape[2], x.shape[3]]), indices, batch_dims=1)
