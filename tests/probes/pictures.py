"""Labelled pictures of three classes in three colours, and frozen encoders to tell them apart with or not."""

from types import SimpleNamespace

import keras
import numpy as np
from PIL import Image

from seqclr.data.samples import Sample

CONFIG = SimpleNamespace(height=16, width=16, resize="stretch", channels=3)
NAMES = ("red", "green", "blue")


def write(folder, count=60, seed=0):
    """Entries of noisy pictures, by turns of each class."""
    draw = np.random.default_rng(seed)
    samples = []
    for i in range(count):
        pixels = draw.integers(0, 120, (16, 16, 3))
        pixels[..., i % 3] += 130
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
        samples.append(Sample("pictures", str(folder / f"{i}.png"), NAMES[i % 3]))
    return samples


class Colours(keras.Model):
    """The mean colour of each half of an image as two frames; what it is asked for is kept."""

    dim = 3

    def call(self, images, widths=None, training=False, layer="transformer"):
        x = keras.ops.cast(images, "float32") / 255
        return keras.ops.mean(keras.ops.reshape(x, (-1, 16, 2, 8, 3)), axis=(1, 3)), None


class Noise(keras.Model):
    """Features that have nothing to do with what an image shows."""

    dim = 64

    def call(self, images, widths=None, training=False, layer="transformer"):
        first = keras.ops.cast(images, "float32")[:, :2, :2]
        return keras.ops.sin(1e4 * keras.ops.reshape(first, (-1, 1, 12)) @ keras.random.normal((12, 64), seed=1)), None
