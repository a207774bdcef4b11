"""Colours in CIE Lab, and as classes: the bins that colorization predicts.

Zhang et al. 2016, arXiv:1603.08511. Sums over the three channels replace matrix products, which some
devices compute at lower precision.
"""

from __future__ import annotations

import functools

import keras
import numpy as np
import tensorflow as tf

TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)  # of linear sRGB
WHITE = TO_XYZ.sum(1)  # D65
KNEE = 6 / 29  # below its cube the root is linear
BIN = 10.0  # side of a bin in a and b
REACH = 12  # bins on either side of 0, enough for all colours
NEAREST = 5  # bins with a share of a colour
SIGMA = 5.0  # standard deviation of the Gaussian weights of these bins
TEMPERATURE = 0.38  # of the annealed mean: between the mode (0) and the mean (1)


def lab(images) -> tf.Tensor:
    """sRGB of 0 to 255 to L of 0 to 100, a and b, `[..., 3]`; float64 for float64, else float32."""
    x = tf.convert_to_tensor(images)
    x = tf.cast(x, tf.float64 if x.dtype == tf.float64 else tf.float32) / 255
    linear = tf.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    xyz = _mixed(linear, TO_XYZ / WHITE[:, None])
    root = tf.maximum(xyz, KNEE**3) ** (1 / 3)  # the power has no gradient at 0
    x, y, z = tf.unstack(tf.where(xyz > KNEE**3, root, xyz / (3 * KNEE**2) + 4 / 29), axis=-1)
    return tf.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def rgb(colours) -> tf.Tensor:
    """Lab to sRGB `uint8 [..., 3]`, clipped to the gamut."""
    light, a, b = tf.unstack(tf.cast(colours, tf.float32), axis=-1)
    y = (light + 16) / 116
    root = tf.stack([y + a / 500, y, y - b / 200], axis=-1)
    xyz = tf.where(root > KNEE, root**3, 3 * KNEE**2 * (root - 4 / 29))
    linear = tf.clip_by_value(_mixed(xyz, np.linalg.inv(TO_XYZ / WHITE[:, None])), 0, 1)
    x = tf.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tf.cast(tf.round(255 * x), tf.uint8)


def gray(images) -> tf.Tensor:
    """Images without colour, `uint8 [..., 3]`, of the same lightness."""
    return rgb(lab(images) * [1, 0, 0])


def tint(images) -> tf.Tensor:
    """Images of the same colour at constant lightness, `uint8 [..., 3]`, for display."""
    return rgb(lab(images) * [0, 1, 1] + [65, 0, 0])


@keras.saving.register_keras_serializable(package="seqclr")
def lightness(images) -> tf.Tensor:
    """L of images, scaled to -1 to 1, `[..., 1]`."""
    return lab(images)[..., :1] / 50 - 1


@keras.saving.register_keras_serializable(package="seqclr")
def colour(images) -> tf.Tensor:
    """a and b of images, scaled to about -1 to 1, `[..., 2]`."""
    return lab(images)[..., 1:] / 110


@functools.cache
def bins() -> np.ndarray:
    """a and b of the bins, `float32 [309, 2]`: the corners of all grid cells that hold a colour of sRGB.

    The paper has 313 bins by a rule that it does not state; 262 are the nearest bin of some colour. With the corners
    every colour lies between bins, so that a mean of bins can be any colour.
    """
    level = np.linspace(0, 255, 256)
    face = np.stack(np.meshgrid(level, level), -1).reshape(-1, 2)
    # the faces of the RGB cube suffice: they hold the lightest colour of every a and b
    cube = np.concatenate([np.insert(face, channel, end, axis=1) for channel in range(3) for end in (0.0, 255.0)])
    with tf.init_scope():
        a, b = np.floor(lab(cube).numpy()[:, 1:] / BIN).astype(int).T + REACH
    corners = np.zeros((2 * REACH + 1, 2 * REACH + 1), bool)
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
        corners[a + down, b + across] = True
    return (BIN * (np.argwhere(corners) - REACH)).astype(np.float32)


def soft(ab) -> tf.Tensor:
    """Soft assignment of a and b `[..., 2]` to bins, `float32 [..., Q]`: Gaussian weights of the 5 nearest, sum 1."""
    a, b = (tf.cast(ab, tf.float32)[..., i, None] - bins()[:, i] for i in (0, 1))
    near = -(a**2 + b**2) / (2 * SIGMA**2)
    fifth = tf.math.top_k(near, NEAREST).values[..., -1:]  # ties are included
    return tf.nn.softmax(tf.where(near >= fifth, near, -np.inf))


def annealed_mean(logits, values) -> tf.Tensor:
    """The mean of class values `[Q, K]` under logits `[..., Q]`, annealed by TEMPERATURE, `[..., K]`."""
    return tf.nn.softmax(tf.cast(logits, tf.float32) / TEMPERATURE) @ values


def rebalanced(share, uniform: float) -> tf.Tensor:
    """Class weights `[Q]` that up-weight bins that are rare in the data; their mean over the data is 1.

    share: of the bins in the data's pixels. uniform: fraction of the uniform distribution mixed in; 1 weights equally.
    """
    weights = 1 / ((1 - uniform) * share + uniform / len(share))
    return weights / tf.reduce_sum(share * weights)


def _mixed(channels: tf.Tensor, matrix: np.ndarray) -> tf.Tensor:
    """`matrix @ channels` over the last axis."""
    return tf.reduce_sum(channels[..., None, :] * tf.constant(matrix, channels.dtype), axis=-1)
