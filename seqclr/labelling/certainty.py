"""The predictions of a reader and their certainty, by which the next images to label are chosen."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from seqclr.data import images
from seqclr.data.knowledge import Possible
from seqclr.runtime import constrained
from seqclr.runtime.reader import Reader

MARGIN = 20  # a second view has a margin of a twentieth of its width on either side


class Alternative(NamedTuple):
    """The likeliest other character for a predicted one, and its probability, at the frame in which the predicted
    character is most probable."""

    character: str
    other: str
    probability: float


class ImagePrediction(NamedTuple):
    """The prediction for an image.

    other, other_confidence: the same of a second view, the image with a margin on the left and on the right.
    alternatives: one for each different character of the text. characters: the confidence of each, as of
    `constrained.character_confidences`. A reader that gives no log probabilities has None and none of these.
    features: `float32 [D]`, as of `Recognizer.features`, where they were asked for and the reader gives them.
    """

    text: str
    confidence: float
    other: str
    other_confidence: float
    alternatives: tuple[Alternative, ...] | None = None
    characters: tuple[float, ...] = ()
    features: np.ndarray | None = None

    @property
    def certainty(self) -> float:
        """The mean of the confidence in the text in both views; 0 for the second one where it has another text."""
        return (self.confidence + (self.other_confidence if self.other == self.text else 0.0)) / 2


def predict(
    reader: Reader, arrays: Iterable[np.ndarray], batch_size: int = 64, with_features: bool = False
) -> Iterator[ImagePrediction]:
    """The prediction for each image `uint8 [H, W, 3]`, of any size."""
    arrays = iter(arrays)
    while batch := list(itertools.islice(arrays, batch_size)):
        others = reader.predict_images(map(with_margin, batch))
        for first, second in zip(_predict_batch(reader, batch, with_features), others):
            yield first._replace(other=second[0], other_confidence=second[1])


def with_margin(image: np.ndarray) -> np.ndarray:
    """The image with its outer columns repeated."""
    margin = max(1, image.shape[1] // MARGIN)
    return np.pad(image, ((0, 0), (margin, margin), (0, 0)), mode="edge")


def _predict_batch(reader: Reader, batch: list[np.ndarray], with_features: bool) -> list[ImagePrediction]:
    """The predictions without a second view."""
    frames, summaries = _frames(reader, batch, with_features)
    if frames is None:
        return [ImagePrediction(text, confidence, "", 0.0) for text, confidence in reader.predict_images(batch)]
    if reader.possible.classes is not None:
        frames = constrained.mask_classes(frames, reader.possible.classes)
    ids, confidence = constrained.predict(frames, Possible(None, reader.possible.lengths))
    found, characters = [], constrained.character_confidences(frames, ids)
    for row, certainty, each, of_image, summary in zip(ids, confidence, characters, frames, summaries):
        row = row[row != reader.charset.blank]
        others = tuple(_alternative(reader.charset.characters, of_image, i) for i in dict.fromkeys(row.tolist()))
        found.append(ImagePrediction(reader.charset.decode(row), float(certainty), "", 0.0, others, each, summary))
    return found


def _frames(reader: Reader, batch: list[np.ndarray], with_features: bool):
    """Log probabilities `[B, T, classes]`, and the features of each image or None; twice None of a reader that gives
    none, such as a SavedModel."""
    if not hasattr(reader, "log_probabilities"):
        return None, None
    pixels, widths = zip(*(images.fit(array, reader.height, reader.width, reader.resize) for array in batch))
    resized = np.stack(pixels), np.array(widths, np.int32)
    features = reader.features(*resized) if with_features else None
    return reader.log_probabilities(*resized), [None] * len(batch) if features is None else features


def _alternative(characters: str, frames: np.ndarray, character: int) -> Alternative:
    """frames: log probabilities `[T, classes]` of an image, the blank last."""
    frame = frames[frames[:, character].argmax(), :-1].copy()
    frame[character] = -np.inf
    other = int(frame.argmax())
    return Alternative(characters[character], characters[other], float(np.exp(frame[other])))
