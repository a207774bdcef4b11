"""Sums, such as `3+16=?`, and their answers."""

from __future__ import annotations

import re
from fractions import Fraction

from seqclr.data.charset import OPERATORS

ANSWERS = ("text", "sum")  # what a reader predicts: the text itself, or the answer to the sum that it is
SUM = re.compile(rf"((?:[0-9]+|\?)(?:[{re.escape(OPERATORS)}](?:[0-9]+|\?))+)(?:=([0-9]*|\?))?")
DIVISOR = re.compile(r"[÷/]\?")


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
