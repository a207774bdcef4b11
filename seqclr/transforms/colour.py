"""Whether images have colour, and which. Host side: never imports TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from seqclr.data import images
from seqclr.data.samples import Sample
from seqclr.errors import UserError

LOOKED_AT = 256  # images, before a run
PIXELS = 256  # of each, evenly spread


def some_colours(samples: Sequence[Sample], method: str) -> np.ndarray:
    """Pixels of some images, `uint8 [N, 3]`; UserError, which names the method, where none of these has colour."""
    some = samples[:: -(-len(samples) // LOOKED_AT)]
    decoded = [images.decode(sample.read_bytes(), sample.name) for sample in some]
    if all(map(is_gray, decoded)):
        raise UserError(f"{some[0].name} is gray, as all that were looked at, and {method} needs colour: use simclr")
    pixels = (image.reshape(-1, 3) for image in decoded)
    return np.concatenate([image[:: -(-len(image) // PIXELS)] for image in pixels])


def is_gray(image: np.ndarray) -> bool:
    """Whether one colour is all that an image has."""
    return not np.ptp(cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 1:], axis=(0, 1)).any()
