"""Sums: their answers, and what has none."""

import pytest

from seqclr.data.sums import answer


@pytest.mark.parametrize(
    "text, result",
    [
        ("3+16=?", "19"),
        ("3 + 16 =", "19"),
        ("3+16", "19"),
        ("3-16=?", "-13"),
        ("2+3×4=?", "14"),
        ("2*3-4*5", "-14"),
        ("9-4-3=", "2"),
        ("6/4*2=?", "3"),  # 3/2 on the way
        ("20÷5÷2", "2"),
        ("3+?=19", "16"),
        ("?-3=4", "7"),
        ("5-?=7", "-2"),
        ("?×3+1=13", "4"),
        ("12÷?=4", "3"),
        ("1+12/?=4", "4"),
        ("007+1=", "8"),
    ],
)
def test_the_answer_of_a_sum(text, result):
    assert answer(text) == result


@pytest.mark.parametrize(
    "text",
    ["", "19", "?", "3+=?", "+3=?", "3++4=?", "7/2=?", "4/0=?", "0×?=3", "12÷?=0", "?+?=4", "?+3=?", "?+3", "3+4=7"]
    + ["3+4==?", "3+x=?", "2**3", "٣+٤=?", "__import__"],
)
def test_what_asks_for_no_integer_has_no_answer(text):
    assert answer(text) == ""
