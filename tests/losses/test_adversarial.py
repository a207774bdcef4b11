"""Least squares of patches."""

import numpy as np
import pytest

from seqclr import losses
from tests.losses.reference import check, rows


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_least_squares(target):
    check(
        lambda scores: losses.least_squares(scores, target),
        lambda scores: np.mean((scores - target) ** 2),
        rows(3, 2, 5, seed=1),
    )


def test_each_image_weighs_the_same_whatever_its_padding():
    scores, widths = rows(3, 2, 5, seed=1), [5, 3, 1]
    expected = np.mean([np.mean((image[:, :w] - 1) ** 2) for image, w in zip(scores, widths)])
    valid = np.arange(5) < np.array(widths)[:, None]
    assert float(losses.least_squares(scores, 1.0, valid)) == pytest.approx(expected, rel=1e-5)
