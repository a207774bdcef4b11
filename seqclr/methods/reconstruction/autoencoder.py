"""Autoencoder: an image from its own feature."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.methods.reconstruction.base import Reconstruction, mean_colour, pixels
from seqclr.methods.registry import register
from seqclr.transforms.corrupted import WholeImage


@register("autoencoder", paper="Hinton & Salakhutdinov 2006")
@dataclass
class Autoencoder(Reconstruction):
    """Hinton & Salakhutdinov 2006. A picture is drawn from its one frame, a line from its frames, which hold less.

    The trivial predictor draws each image in its own mean colour.
    """

    transform = WholeImage

    def guesses(self, batch):
        return [mean_colour(pixels(batch["image"]), self.scored(batch))]
