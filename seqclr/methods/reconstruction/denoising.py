"""Denoising autoencoder: the image without its noise."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.config import key
from seqclr.methods.reconstruction.base import Reconstruction, mean_colour, pixels
from seqclr.methods.registry import register
from seqclr.transforms.corrupted import NoisyImage


@register("denoising", paper="Vincent et al. 2008")
@dataclass
class Denoising(Reconstruction):
    """Vincent et al. 2008. The image is drawn from what noise leaves of it.

    As the paper's hidden layer is wider than the image, a picture is drawn from its map. The trivial predictor draws
    the noisy image, or its mean colour, whichever is better.
    """

    transform = NoisyImage
    bottleneck = False

    corruption: str = key(
        "masking", "masking sets pixels to black, gaussian adds noise to all", choices=("masking", "gaussian")
    )
    amount: float = key(
        0.25, "part of the pixels that are masked, or standard deviation of noise, 1 being white", least=0, most=1
    )

    def make_transform(self, views):
        return NoisyImage(views, self.corruption, self.amount)

    def guesses(self, batch):
        shown = pixels(batch["shown"])
        return [shown, mean_colour(shown, self.scored(batch))]
