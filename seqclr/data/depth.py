"""Images with depth, as four channels: colour files with a depth file beside them, or images of four channels.

Host side: Pillow and NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqclr.data import images
from seqclr.data.samples import Sample
from seqclr.errors import UserError

ENDING = "_depth.png"  # of a.jpg, the depth is in a_depth.png


def is_depth(sample: Sample) -> bool:
    """Whether a sample is the depth of another one."""
    return sample.store is None and sample.file.lower().endswith(ENDING)


def colours_of(samples: Sequence[Sample]) -> list[Sample]:
    """The samples without the files of depth. Raises UserError where nothing is left."""
    colours = [sample for sample in samples if not is_depth(sample)]
    if not colours:
        raise UserError(f"{samples[0].name} is the depth of an image, as are all: put the images beside them")
    return colours


def read(sample: Sample) -> np.ndarray:
    """Colours and depth of a sample, `uint8 [H, W, 4]`.

    The depth is a gray PNG of 8 or 16 bits beside the file, or its fourth channel. Raises UserError where there is
    none, it cannot be read, or its size is another one.
    """
    path = Path(sample.file)
    beside = path.with_name(path.stem + ENDING)
    if sample.store is None and sample.index is None and beside.is_file():
        colours, depth = images.decode(sample.read_bytes(), sample.name), scaled(beside)
        if depth.shape != colours.shape[:2]:
            (height, width), (rows, columns) = depth.shape, colours.shape[:2]
            raise UserError(f"{beside} is {width}x{height} pixels, and its image {columns}x{rows}: make them equal")
        return np.dstack([colours, depth])
    pixels = images.decode_raw(sample.read_bytes(), sample.name)
    if pixels.ndim < 3 or pixels.shape[2] != 4:
        raise UserError(f"{sample.name} has no depth: put it into {beside.name} beside it, or into a fourth channel")
    return pixels


def scaled(path: Path) -> np.ndarray:
    """The depth in a gray file, `uint8 [H, W]`. The range of 16 bits is scaled to 1 to 255; 0, unknown, stays."""
    depth = images.decode_raw(images.read_bytes(path), str(path))
    if depth.ndim > 2:
        raise UserError(f"{path} is not gray: depth has one channel, of 8 or 16 bits")
    if depth.dtype == np.uint8:
        return depth
    known = depth[depth > 0].astype(np.float64)
    least, most = (known.min(), known.max()) if known.size else (0, 0)
    levels = 1 + np.rint(254 * (depth - float(least)) / max(1.0, most - least))
    return np.where(depth > 0, levels, 0).astype(np.uint8)
