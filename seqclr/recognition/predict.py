"""Predicts the texts in image files and folders. Needs no TensorFlow of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seqclr.data.discovery import find_images
from seqclr.decision import accepts
from seqclr.errors import UserError
from seqclr.runtime.reader import Reader


def predict(reader: Reader, images: Sequence[str], beam: int = 1) -> Iterator[dict | UserError]:
    """File, text, confidence and whether to accept it, of each image, one by one, or the error for one that cannot be
    read."""
    samples = []
    for path in images:
        found, messages = find_images([path])
        samples += found
        yield from map(UserError, messages)
        if not found and not messages:
            yield UserError(f"{path} holds no image: give images or a folder of them")
    for sample in samples:
        try:
            text, confidence = next(iter(reader.predict_samples([sample], beam)))
        except UserError as error:
            yield error
        else:
            accept = accepts(text, confidence, reader.threshold, reader.lengths)
            yield {"file": sample.file, "text": text, "confidence": round(confidence, 4), "accept": accept}
