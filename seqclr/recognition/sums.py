"""Sums in images, such as `3+16=?`: the prediction is the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from seqclr.data.charset import OPERATORS
from seqclr.data.knowledge import Known
from seqclr.errors import UserError
from seqclr.runtime.reader import Reader

ANSWERS = ("text", "sum")
SUM = re.compile(rf"((?:[0-9]+|\?)(?:[{re.escape(OPERATORS)}](?:[0-9]+|\?))+)(?:=([0-9]*|\?))?")
DIVISOR = re.compile(r"[÷/]\?")


def answering(reader: Reader, answer: str) -> Reader:
    """The reader itself for `text`; for `sum`, one that predicts the answers. UserError for any other word."""
    if answer not in ANSWERS:
        raise UserError(f"answer '{str(answer):.60}' is not known: {', '.join(ANSWERS)}")
    return Answers(reader) if answer == "sum" else reader


class Answers:
    """A reader that predicts the answers to sums. A text without an answer gives an empty one of confidence 0."""

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
    result = answer(text)
    return result, confidence if result else 0.0


def answer(text: str) -> str:
    """The integer that a sum such as `3+16=?`, `3×4=` or `3+?=19` asks for; empty where there is none.

    Of `+ - × ÷ * /`, multiplication and division come first. `?` may stand for one number on the left.
    """
    match = SUM.fullmatch("".join(text.split()))
    if not match:
        return ""
    left, right = match[1], match[2] or "?"
    if left.count("?") + (right == "?") != 1:  # nothing is asked, or too much
        return ""
    try:
        result = _unknown(left, int(right)) if "?" in left else _value(left, Fraction(0))
    except ZeroDivisionError:
        return ""
    return str(result) if result.denominator == 1 else ""


def _unknown(left: str, right: int) -> Fraction:
    """The number that `?` stands for: the left side is linear in it, or in its inverse where it divides."""
    linear = DIVISOR.sub("*?", left)
    start = _value(linear, Fraction(0))
    found = (right - start) / (_value(linear, Fraction(1)) - start)
    return found if linear == left else 1 / found


def _value(expression: str, unknown: Fraction) -> Fraction:
    total = Fraction(0)
    for sign, product in re.findall(r"([-+]?)([^-+]+)", expression):
        value = Fraction(1)
        for operator, number in re.findall(r"([×÷*/]?)([0-9]+|\?)", product):
            factor = unknown if number == "?" else Fraction(int(number))
            value = value / factor if operator in ("÷", "/") else value * factor
        total += -value if sign == "-" else value
    return total
