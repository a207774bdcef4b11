"""Denoising autoencoder: reconstruction of an image from a noisy version."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.config import key
from seqclr.methods.reconstruction.base import Reconstruction, mean_colour, pixels
from seqclr.methods.registry import register
from seqclr.transforms.corrupted import NoisyImage


@register("denoising", paper="Vincent et al. 2008")
@dataclass
class Denoising(Reconstruction):
    """Reconstruction of an image from a noisy version (Vincent et al. 2008).

    The paper's hidden layer is wider than the image, so an image is decoded from its feature map. The trivial predictor
    is the noisy image or its mean colour, whichever is better.
    """

    transform = NoisyImage
    bottleneck = False

    corruption: str = key(
        "masking",
        "kind of noise: masking (pixels set to black) or gaussian (added to all)",
        choices=("masking", "gaussian"),
    )
    amount: float = key(
        0.25, "fraction of masked pixels, or standard deviation of the noise, where white is 1", least=0, most=1
    )

    def make_transform(self, views):
        return NoisyImage(views, self.corruption, self.amount)

    def trivial_predictions(self, batch):
        noisy = pixels(batch["input"])
        return [noisy, mean_colour(noisy, self.scored(batch))]
