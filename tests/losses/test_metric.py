"""Losses of distances, and rows at the same place."""

from functools import partial

import numpy as np
import pytest

from seqclr import losses
from seqclr.errors import UserError
from tests.losses.reference import check, gradients, rows, unit

A, P, N = (rows(6, 3, seed=seed) for seed in (1, 2, 3))
SAME = np.array([1, 0, 0, 1, 0, 0])


@pytest.mark.parametrize("same", [SAME, SAME.astype(bool)])
@pytest.mark.parametrize("keys", [{}, {"margin": 3.0}])
def test_margin_contrastive(keys, same):
    def margin_contrastive(a, b, margin=1.0):
        d = np.linalg.norm(a - b, axis=1)
        return np.mean(np.where(SAME, d**2, np.maximum(0, margin - d) ** 2))

    check(partial(losses.margin_contrastive, same=same, **keys), partial(margin_contrastive, **keys), A, P)


@pytest.mark.parametrize("keys", [{}, {"margin": 0.2}])
def test_triplet(keys):
    def triplet(a, p, n, margin=1.0):
        return np.mean(np.maximum(0, np.linalg.norm(a - p, axis=1) - np.linalg.norm(a - n, axis=1) + margin))

    check(partial(losses.triplet, **keys), partial(triplet, **keys), A, P, N)


@pytest.mark.parametrize("keys", [{}, {"alpha": 1.0}])
def test_align(keys):
    def align(z1, z2, alpha=2.0):
        return np.mean(np.linalg.norm(unit(z1) - unit(z2), axis=1) ** alpha)

    check(partial(losses.align, **keys), partial(align, **keys), A, P)


@pytest.mark.parametrize("keys", [{}, {"t": 1.0}])
def test_uniform(keys):
    def uniform(z, t=2.0):
        z = unit(z)
        pairs = [np.exp(-t * np.sum((z[i] - z[j]) ** 2)) for i in range(len(z)) for j in range(i + 1, len(z))]
        return np.log(np.mean(pairs))

    check(partial(losses.uniform, **keys), partial(uniform, **keys), A)


def test_limits():
    opposite = np.concatenate([A[:1], -A[:1]])
    assert float(losses.uniform(opposite)) == pytest.approx(-8, rel=1e-5)
    assert float(losses.align(A, 2 * A)) == pytest.approx(0, abs=1e-6)
    with pytest.raises(UserError, match="at least 2"):
        losses.uniform(A[:1])


def test_equal_rows_have_a_finite_gradient():
    for loss in (partial(losses.margin_contrastive, same=SAME), partial(losses.align, alpha=1.0)):
        assert np.isfinite(gradients(loss, A, A)[1]).all()
