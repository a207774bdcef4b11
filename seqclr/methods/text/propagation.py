"""Label propagation between characters of different images."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from seqclr.losses.common import normalize, products
from seqclr.methods.text.characters import alike

NEAREST, TEMPERATURE = 10, 0.1  # neighbours of a character, and the temperature of the softmax of their cosines
ITSELF = 0.9  # cosine that a character has with itself, so that far neighbours count less than its prediction
SHARE, ROUNDS = 0.9, 50  # of the neighbours in a prediction, and how often they are asked
ROWS = 1024  # characters whose neighbours are found at once


def propagate(features: np.ndarray, images: np.ndarray, probabilities: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Probabilities of characters, `float32 [N, classes]`, after a look at similar characters of other images.

    The fixed point of `F = SHARE W F + (1 - SHARE) P`, where W averages the nearest neighbours and known rows stay:
    label propagation (Iscen et al. 2019, arXiv:1904.04717; Zhou et al. 2004). Neighbours are those with the largest
    cosine of the features less their mean.

    features: `[N, D]`. images: `int [N]`, the image of each. probabilities: P. known: `bool [N]`, rows with a label.
    """
    places, weights = neighbours(features, images)
    spread = probabilities
    for _ in range(ROUNDS):
        theirs = np.einsum("nk,nkc->nc", weights, spread[places])
        spread = np.where(known[:, None], probabilities, SHARE * theirs + (1 - SHARE) * probabilities)
    return spread


def neighbours(features: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest characters of other images, `int32 [N, K]`, and their weights, `float32 [N, K]` of sum 1."""
    rows = normalize(features)
    rows = normalize(rows - tf.reduce_mean(rows, axis=0))
    found = []
    for start in range(0, len(features), ROWS):
        cosines = products(rows[start : start + ROWS], rows)
        own = images[start : start + ROWS, None] == images
        itself = np.arange(start, start + len(own))[:, None] == np.arange(len(features))
        cosines = tf.where(itself, ITSELF, tf.where(own, -2.0, cosines))
        cosines, places = tf.math.top_k(cosines, min(NEAREST, len(features)))
        found.append((places.numpy(), tf.nn.softmax(cosines / TEMPERATURE).numpy()))
    return tuple(map(np.concatenate, zip(*found)))


def propagated_texts(
    texts: np.ndarray,
    features: np.ndarray,
    scores: np.ndarray,
    frames: np.ndarray,
    known: np.ndarray,
    sources: Sequence[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Texts with characters that are corrected within each source, `int32 [N, L]`, and their confidence, `float32 [N]`:
    the product over the characters.

    A corrected text that does not fit the frames, as equal neighbours need a blank between them, is left out (-1), with
    confidence 0, as of an image without text.

    texts: ids filled with -1. features: `[N, L, D]`. scores: log probabilities, `[N, L, classes]`. frames: `int [N]`.
    known: `bool [N]`, the texts that are labels. sources: of each image.
    """
    corrected, certainty = texts.copy(), np.ones(texts.shape, np.float32)
    for source in dict.fromkeys(sources):
        shown = (texts >= 0) & (np.array(sources) == source)[:, None]
        if shown.any():
            images, labels = np.nonzero(shown)[0], np.eye(scores.shape[-1], dtype=np.float32)[texts[shown]]
            probabilities = np.where(known[images, None], labels, tf.nn.softmax(scores[shown]))
            spread = propagate(features[shown], images, probabilities, known[images])
            corrected[shown], certainty[shown] = spread.argmax(1), spread.max(1)
    equal = (corrected[:, 1:] == corrected[:, :-1]) & (corrected[:, 1:] >= 0)
    fits = (corrected[:, 0] >= 0) & ((corrected >= 0).sum(1) + equal.sum(1) <= frames)
    return np.where(fits[:, None], corrected, -1), np.where(fits, certainty.prod(1), 0.0)


class PropagatedTexts(keras.layers.Layer):
    """Texts of the images that are fixed once in a run, `int32 [N, L]` filled with -1, with their confidence."""

    def __init__(self, count: int, longest: int, name: str = "propagated"):
        super().__init__(name=name)
        none = {"initializer": keras.initializers.Constant(-1), "trainable": False}
        self.texts = self.add_weight(shape=(count, longest), dtype="int32", name="texts", **none)
        self.confidence = self.add_weight(shape=(count,), name="confidence", **none)
        self.done = self.add_weight(shape=(), dtype="bool", initializer="zeros", trainable=False, name="done")
        self.built = True

    def assign(self, images: np.ndarray, texts: np.ndarray, confidence: np.ndarray) -> None:
        """Fixes the texts of some images."""
        self.done.assign(True)
        for variable, rows in ((self.texts, texts), (self.confidence, confidence)):
            values = variable.numpy()
            values[images] = rows
            variable.assign(values)

    def call(self, given: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """The texts of images, `int32 [B, L]`: fixed ones, and given ones where there are none."""
        found, given = alike(tf.gather(self.texts.value, images), given)
        return tf.where(found[:, :1] >= 0, found, given)
