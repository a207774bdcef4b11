"""Predicts the texts in image files and folders. Needs no TensorFlow of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seqclr.data.discovery import find_images
from seqclr.decision import accepts
from seqclr.errors import UserError
from seqclr.runtime.reader import BatchReader, Reader


def predict(reader: Reader, images: Sequence[str], beam: int = 1) -> Iterator[dict | UserError]:
    """File, text, confidence and whether to accept it, of each image, one by one, or the error for one that cannot be
    read."""
    for found in one_by_one(reader, images, beam):
        if isinstance(found, UserError):
            yield found
        else:
            file, text, confidence = found
            accept = accepts(text, confidence, reader.threshold, reader.lengths)
            yield {"file": file, "text": text, "confidence": round(confidence, 4), "accept": accept}


def match(matcher: BatchReader, images: Sequence[str]) -> Iterator[dict | UserError]:
    """File, word and probability of each image, or the error for one that cannot be read."""
    for found in one_by_one(matcher, images):
        if isinstance(found, UserError):
            yield found
        else:
            file, word, probability = found
            yield {"file": file, "word": word, "probability": round(probability, 4)}


def one_by_one(
    reader: Reader | BatchReader, images: Sequence[str], beam: int = 1
) -> Iterator[tuple[str, str, float] | UserError]:
    """File, text and confidence of each image, or the error for one that cannot be read."""
    samples = []
    for path in images:
        found, messages = find_images([path])
        samples += found
        yield from map(UserError, messages)
        if not found and not messages:
            yield UserError(f"{path} holds no image: give images or a folder of them")
    for sample in samples:
        try:
            yield (sample.file, *next(iter(reader.predict_samples([sample], beam))))
        except UserError as error:
            yield error
