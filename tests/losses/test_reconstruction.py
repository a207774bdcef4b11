"""Masked patches alone count."""

from functools import partial

import numpy as np
import pytest

from seqclr import losses
from tests.losses.reference import check, rows

TARGET, PREDICTION = rows(2, 3, 4, seed=1), rows(2, 3, 4, seed=2)
MASK = np.array([[1, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize("mask", [MASK.astype(bool), MASK.astype(np.float32)])
@pytest.mark.parametrize("keys", [{}, {"normalize": True}])
def test_masked_reconstruction(keys, mask):
    def masked_reconstruction(target, prediction, normalize=False):
        errors = []
        for b, i in np.argwhere(MASK):
            wanted = target[b, i]
            if normalize:
                wanted = (wanted - wanted.mean()) / np.sqrt(wanted.var(ddof=1) + 1e-6)
            errors.append(np.mean((prediction[b, i] - wanted) ** 2))
        return np.mean(errors)

    loss = partial(losses.masked_reconstruction, mask=mask, **keys)
    check(loss, partial(masked_reconstruction, **keys), TARGET, PREDICTION, stopped=(0,))


def test_nothing_masked_costs_nothing():
    assert float(losses.masked_reconstruction(TARGET, PREDICTION, np.zeros((2, 3)))) == 0
