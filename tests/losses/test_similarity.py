"""Agreement of positives, whose targets stand still."""

import numpy as np
import pytest

from seqclr import losses
from tests.losses.reference import check, rows, unit

P, Z = rows(6, 5, seed=7), rows(6, 5, seed=8)


def cosine(p, z):
    return np.mean(np.sum(unit(p) * unit(z), axis=1))


def test_negative_cosine():
    check(losses.negative_cosine, lambda p, z: -cosine(p, z), P, Z, stopped=(1,))


def test_byol():
    check(losses.byol, lambda p, z: np.mean(np.sum((unit(p) - unit(z)) ** 2, axis=1)), P, Z, stopped=(1,))


def test_limits():
    assert float(losses.negative_cosine(P, 3 * P)) == pytest.approx(-1)
    assert float(losses.byol(P, 3 * P)) == pytest.approx(0, abs=1e-6)
    assert float(losses.byol(P, -P)) == pytest.approx(4)
