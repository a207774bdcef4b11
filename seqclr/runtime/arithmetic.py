"""Readers of sums, such as `3+16=?`: the prediction is the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqclr.data import sums
from seqclr.data.knowledge import Known
from seqclr.errors import UserError
from seqclr.runtime.reader import Reader


def answering(reader: Reader, answer: str | None = None) -> Reader:
    """The reader itself for `text`; for `sum`, one that predicts the answers. None: what the reader was exported for.

    UserError for any other word.
    """
    answer = reader.answer if answer is None else checked(answer)
    return Answers(reader) if answer == "sum" else reader


def checked(answer: str) -> str:
    """One of `sums.ANSWERS`. Raises UserError for any other word."""
    if answer not in sums.ANSWERS:
        raise UserError(f"answer '{str(answer):.60}' is not known: {', '.join(sums.ANSWERS)}")
    return answer


class Answers:
    """A reader that predicts the answers to sums. A text without an answer gives an empty one of confidence 0."""

    answer = "sum"

    def __init__(self, reader: Reader):
        self.reader, self.charset = reader, reader.charset
        self.threshold, self.lengths = reader.threshold, None  # known lengths are those of sums, not of answers

    def knowing(self, known: Known) -> Answers:
        return Answers(self.reader.knowing(known))

    def predict_samples(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, float]]:
        return map(_answered, self.reader.predict_samples(*args, **kwargs))

    def predict_images(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, float]]:
        return map(_answered, self.reader.predict_images(*args, **kwargs))


def _answered(prediction: tuple[str, float]) -> tuple[str, float]:
    text, confidence = prediction
    answer = sums.answer(text)
    return answer, confidence if answer else 0.0
