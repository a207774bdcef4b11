"""NT-Xent's relatives: which negatives count how much, and where the gradient stops."""

from functools import partial

import numpy as np
import pytest

from seqclr import losses
from tests.losses.reference import check, gradients, rows, unit

Z1, Z2 = rows(4, 3, seed=1), rows(4, 3, seed=2)


def neighbours(z1, z2, held=None):
    """Of each of the 2N rows: its cosine with the partner, and those with the 2N - 2 rows of other images."""
    z = unit(np.concatenate([z1, z2]))
    held = z if held is None else unit(np.concatenate(held))
    count = len(z1)
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        yield z[i] @ held[partner], np.array([z[i] @ held[k] for k in range(2 * count) if k not in (i, partner)])


def inva_spread(z1, z2, temperature=0.1, held=None):
    total = 0.0
    for positive, negatives in neighbours(z1, z2, held):
        scores = np.exp(np.append(negatives, positive) / temperature)
        p = scores / scores.sum()
        total -= np.log(p[-1]) + np.sum(np.log(1 - p[:-1]))
    return total / (2 * len(z1))


def hard_negative(z1, z2, temperature=0.5, tau_plus=0.1, beta=1.0):
    total = 0.0
    for positive, negatives in neighbours(z1, z2):
        pos, neg = np.exp(positive / temperature), np.exp(negatives / temperature)
        count = len(neg)
        reweighted = np.sum(neg**beta * neg) / np.mean(neg**beta)
        ng = (-tau_plus * count * pos + reweighted) / (1 - tau_plus)
        total -= np.log(pos / (pos + max(ng, count * np.exp(-1 / temperature))))
    return total / (2 * len(z1))


def flat_nce(z1, z2, temperature=0.1):
    return np.mean([np.log(np.sum(np.exp((n - p) / temperature))) for p, n in neighbours(z1, z2)])


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.5}])
def test_inva_spread_moves_anchors_only(keys):
    held = partial(inva_spread, held=(Z1.astype(np.float64), Z2.astype(np.float64)), **keys)
    check(partial(losses.inva_spread, **keys), partial(inva_spread, **keys), Z1, Z2, gradient=held)


def test_inva_spread_is_finite_where_a_negative_takes_all():
    z = np.array([[1, 0], [1, 0]], np.float32)
    value, found = gradients(losses.inva_spread, z, -z)
    assert np.isfinite(float(value)) and np.isfinite(found).all()


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.3, "tau_plus": 0.2, "beta": 2.0}])
def test_hard_negative(keys):
    check(partial(losses.hard_negative, **keys), partial(hard_negative, **keys), Z1, Z2)


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.3, "tau_plus": 0.05}])
def test_debiased(keys):
    check(partial(losses.debiased, **keys), partial(hard_negative, beta=0.0, **keys), Z1, Z2)


def test_the_negatives_have_a_floor():
    """Orthonormal pairs with a large share of their own class would have fewer negatives than none."""
    z, temperature = np.eye(4, 8, dtype=np.float32), 0.5
    floor = np.log(1 + 6 * np.exp(-2 / temperature))
    assert float(losses.debiased(z, z, tau_plus=0.5)) == pytest.approx(floor, rel=1e-5)


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.5}])
def test_flat_nce_is_1_and_moves_as_the_logsumexp_of_the_negatives(keys):
    check(partial(losses.flat_nce, **keys), lambda *_: 1.0, Z1, Z2, gradient=partial(flat_nce, **keys))
