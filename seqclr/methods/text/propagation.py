"""Label propagation between characters of different images."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from seqclr.losses.common import normalize, products
from seqclr.methods.text.characters import alike

TEMPERATURE = 0.1  # of the softmax of the cosines of neighbours
PREDICTED, EXPECTED = 0.25, 1 / 3  # least frequency of a character that occurs, as predicted or as the mean probability
LEAST, LEAST_PRIOR = 0.1, 0.01  # probability of a seed, and prior of a class as a share of equal ones
ITSELF = 0.9  # cosine that a character has with itself, so that far neighbours count less than its prediction
SHARE, ROUNDS = 0.9, 50  # of the neighbours in a prediction, and how often they are asked
ROWS = 1024  # characters whose neighbours are found at once


def propagate(
    features: np.ndarray, images: np.ndarray, probabilities: np.ndarray, known: np.ndarray, nearest: int
) -> np.ndarray:
    """Probabilities of characters, `float32 [N, classes]`, after a look at similar characters of other images.

    The fixed point of `F = SHARE W F + (1 - SHARE) P`, where W averages the nearest neighbours and known rows stay:
    label propagation (Iscen et al. 2019, arXiv:1904.04717; Zhou et al. 2004). Neighbours are those with the largest
    cosine of the features less their mean.

    features: `[N, D]`. images: `int [N]`, the image of each. probabilities: P. known: `bool [N]`, rows with a label.
    nearest: the number of neighbours.
    """
    places, weights = neighbours(features, images, nearest)
    spread = probabilities
    for _ in range(ROUNDS):
        theirs = np.einsum("nk,nkc->nc", weights, spread[places])
        spread = np.where(known[:, None], probabilities, SHARE * theirs + (1 - SHARE) * probabilities)
    return spread


def neighbours(features: np.ndarray, images: np.ndarray, nearest: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest characters of other images, `int32 [N, K]`, and their weights, `float32 [N, K]` of sum 1."""
    rows = normalize(features)
    rows = normalize(rows - tf.reduce_mean(rows, axis=0))
    found = []
    for start in range(0, len(features), ROWS):
        cosines = products(rows[start : start + ROWS], rows)
        own = images[start : start + ROWS, None] == images
        itself = np.arange(start, start + len(own))[:, None] == np.arange(len(features))
        cosines = tf.where(itself, ITSELF, tf.where(own, -2.0, cosines))
        cosines, places = tf.math.top_k(cosines, min(nearest, len(features)))
        found.append((places.numpy(), tf.nn.softmax(cosines / TEMPERATURE).numpy()))
    return tuple(map(np.concatenate, zip(*found)))


def occurring(probabilities: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The classes that occur among characters, `bool [classes]`.

    probabilities: `[N, classes]`. counted: `bool [classes]`, those that are about equally frequent.
    """
    predicted = np.bincount(probabilities.argmax(1), minlength=len(counted)) / len(probabilities)
    typical = (predicted**2).sum()  # the frequency of a typical character's class, however many classes never occur
    return counted & ((predicted >= PREDICTED * typical) | (probabilities.mean(0) >= EXPECTED * typical))


def with_equal_priors(probabilities: np.ndarray, occurs: np.ndarray) -> np.ndarray:
    """Probabilities where all classes that occur have the same prior instead of their mean probability.

    The correction of Saerens et al. 2002, or logit adjustment (Menon et al. 2021, arXiv:2007.07314): a class that the
    reader takes for another one is predicted too seldom. The arguments are those of `seeds`.
    """
    priors = np.where(occurs, probabilities.mean(0) * occurs.sum(), 1)
    adjusted = probabilities / np.maximum(priors, LEAST_PRIOR)
    return adjusted / adjusted.sum(1, keepdims=True)


def seeds(probabilities: np.ndarray, occurs: np.ndarray, share: float) -> np.ndarray:
    """The class of each character that label propagation takes for a label, `int [N]`, -1 of the others.

    Of every class the most probable characters, equally many (Zou et al. 2018, arXiv:1810.07911): `share` of the number
    if all were equally frequent. A class that the reader takes for another one keeps its most probable characters, and
    label propagation finds those that look like them. Classes that do not occur have no seeds.

    probabilities: `[N, classes]`. occurs: `bool [classes]`.
    """
    count = int(share * len(probabilities) / max(1, occurs.sum()))
    first = np.zeros(probabilities.shape, bool)
    np.put_along_axis(first, np.argsort(-probabilities, axis=0, kind="stable")[:count], True, axis=0)
    chosen = np.where(first & occurs & (probabilities >= LEAST), probabilities, 0)
    return np.where(chosen.any(1), chosen.argmax(1), -1)


def average_views(
    texts: np.ndarray, features: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The characters of images, each the mean over several views (test-time augmentation): of the most probable classes
    `int32 [N, L]` filled with -1, features `float32 [N, L, D]` and probabilities `float32 [N, L, classes]`.

    Views whose text has another length than most of the image's do not count.

    texts: `int32 [views, N, L]` filled with -1. features: `[views, N, L, D]`. probabilities: `[views, N, L, classes]`.
    """
    lengths = (texts >= 0).sum(2)
    usual = np.array([np.bincount(column).argmax() for column in lengths.T])
    used = (lengths == usual).astype(np.float32)
    features, probabilities = (
        np.einsum("vn,vnlc->nlc", used / used.sum(0), characters) for characters in (features, probabilities)
    )
    shown = np.arange(texts.shape[2]) < usual[:, None]
    return np.where(shown, probabilities.argmax(2), -1).astype(np.int32), features, probabilities


def propagated_texts(
    texts: np.ndarray,
    features: np.ndarray,
    probabilities: np.ndarray,
    frames: np.ndarray,
    known: np.ndarray,
    sources: Sequence[str],
    counted: np.ndarray,
    share: float,
    nearest: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Texts with characters that are corrected within each source, `int32 [N, L]`, and their confidence, `float32 [N]`:
    the product over the characters.

    A corrected text that does not fit the frames, as equal neighbours need a blank between them, is left out (-1), with
    confidence 0, as of an image without text.

    texts: ids filled with -1. features: `[N, L, D]`. probabilities: `[N, L, classes]`. frames: `int [N]`. known:
    `bool [N]`, the texts that are labels. sources: of each image. counted: as of `occurring`. share: as of `seeds`; 0:
    classes need not be equally frequent. nearest: the number of neighbours; 0: no character is corrected by others.
    """
    corrected, certainty = texts.copy(), np.ones(texts.shape, np.float32)
    for source in dict.fromkeys(sources):
        shown = (texts >= 0) & (np.array(sources) == source)[:, None]
        if shown.any():
            images, certain = np.nonzero(shown)[0], np.eye(probabilities.shape[-1], dtype=np.float32)
            labelled = known[images]
            predicted = np.where(labelled[:, None], certain[texts[shown]], probabilities[shown])
            found = np.where(labelled, texts[shown], -1)
            if share:
                occurs = occurring(predicted, counted)
                predicted = with_equal_priors(predicted, occurs)
                found = np.where(labelled, found, seeds(predicted, occurs, share))
            fixed = found >= 0
            predicted = np.where(fixed[:, None], certain[found], predicted)
            spread = propagate(features[shown], images, predicted, fixed, nearest) if nearest else predicted
            corrected[shown], certainty[shown] = spread.argmax(1), spread.max(1)
    equal = (corrected[:, 1:] == corrected[:, :-1]) & (corrected[:, 1:] >= 0)
    fits = (corrected[:, 0] >= 0) & ((corrected >= 0).sum(1) + equal.sum(1) <= frames)
    return np.where(fits[:, None], corrected, -1), np.where(fits, certainty.prod(1), 0.0)


class PropagatedTexts(keras.layers.Layer):
    """The texts of the images as last predicted, `int32 [N, L]` filled with -1, and their confidence, `float32 [N]`."""

    def __init__(self, count: int, longest: int, name: str = "propagated"):
        super().__init__(name=name)
        none = {"initializer": keras.initializers.Constant(-1), "trainable": False}
        self.texts = self.add_weight(shape=(count, longest), dtype="int32", name="texts", **none)
        self.confidence = self.add_weight(shape=(count,), name="confidence", **none)
        self.built = True

    def assign(self, images: np.ndarray, texts: np.ndarray, confidence: np.ndarray) -> None:
        """Sets the texts of some images."""
        for variable, rows in ((self.texts, texts), (self.confidence, confidence)):
            values = variable.numpy()
            values[images] = rows
            variable.assign(values)

    def call(self, given: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """The texts of images, `int32 [B, L]`: those that were set, and given ones where there are none."""
        found, given = alike(tf.gather(self.texts.value, images), given)
        return tf.where(found[:, :1] >= 0, found, given)
