"""Sampling of colours, and detection of gray images. Host side: never imports TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from seqclr.data import depth, images
from seqclr.data.samples import Sample
from seqclr.errors import UserError

SAMPLED = 256  # images
PIXELS = 256  # of each, evenly spread


def sample_colours(samples: Sequence[Sample], method: str, channels: int = 3) -> np.ndarray:
    """Pixels of up to 256 images, `uint8 [N, channels]`, with 4 channels with their depth.

    Raises UserError, which names the method, where all are gray.
    """
    some = samples[:: -(-len(samples) // SAMPLED)]
    with_depth = channels == 4
    decoded = [depth.read(each) if with_depth else images.decode(each.read_bytes(), each.name) for each in some]
    if all(is_gray(image[..., :3]) for image in decoded):
        raise UserError(
            f"{some[0].name} is gray, as are all images that were sampled, and {method} needs colour: use simclr"
        )
    pixels = (image.reshape(-1, channels) for image in decoded)
    return np.concatenate([image[:: -(-len(image) // PIXELS)] for image in pixels])


def is_gray(image: np.ndarray) -> bool:
    """Whether all pixels of an image have the same chroma (a and b of CIELAB)."""
    return not np.ptp(cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 1:], axis=(0, 1)).any()
