"""Sampling of colours, and detection of gray images. Host side: never imports TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from seqclr.data import images
from seqclr.data.samples import Sample
from seqclr.errors import UserError

SAMPLED = 256  # images
PIXELS = 256  # of each, evenly spread


def sample_colours(samples: Sequence[Sample], method: str) -> np.ndarray:
    """Pixels of up to 256 images, `uint8 [N, 3]`. Raises UserError, which names the method, where all are gray."""
    some = samples[:: -(-len(samples) // SAMPLED)]
    decoded = [images.decode(sample.read_bytes(), sample.name) for sample in some]
    if all(map(is_gray, decoded)):
        raise UserError(
            f"{some[0].name} is gray, as are all images that were sampled, and {method} needs colour: use simclr"
        )
    pixels = (image.reshape(-1, 3) for image in decoded)
    return np.concatenate([image[:: -(-len(image) // PIXELS)] for image in pixels])


def is_gray(image: np.ndarray) -> bool:
    """Whether all pixels of an image have the same chroma (a and b of CIELAB)."""
    return not np.ptp(cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 1:], axis=(0, 1)).any()
