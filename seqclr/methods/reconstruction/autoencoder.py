"""Autoencoder: reconstruction of an image from its features."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.methods.reconstruction.base import Reconstruction, mean_colour, pixels
from seqclr.methods.registry import register
from seqclr.transforms.corrupted import WholeImage


@register("autoencoder", paper="Hinton & Salakhutdinov 2006")
@dataclass
class Autoencoder(Reconstruction):
    """Reconstruction of an image from its single frame, of a line from its frames (Hinton & Salakhutdinov 2006). The
    features have fewer values than the image.

    The trivial predictor is the mean colour of each image.
    """

    transform = WholeImage

    def trivial_predictions(self, batch):
        return [mean_colour(pixels(batch["image"]), self.scored(batch))]
