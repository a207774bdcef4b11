"""A few inputs that nobody meant, always the same ones; `python benchmarks/fuzz.py` tries others."""

import fuzz
import pytest


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_no_input_ends_in_a_traceback(target):
    assert fuzz.hunt(target, 40) >= 10
