"""Sinkhorn's codes and their swapped prediction."""

from functools import partial

import numpy as np
import pytest

from seqclr import losses
from tests.losses.reference import check, rows, softmax, unit

SCORES1, SCORES2 = (unit(rows(6, 4, seed=seed)) @ unit(rows(3, 4, seed=9)).T for seed in (1, 2))


def sinkhorn(scores, epsilon=0.05, iterations=3):
    q = np.exp(scores.astype(np.float64) / epsilon).T
    q /= q.sum()
    for _ in range(iterations):
        q /= q.sum(axis=1, keepdims=True) * q.shape[0]
        q /= q.sum(axis=0, keepdims=True) * q.shape[1]
    return q.T * q.shape[1]


def swav(scores1, scores2, temperature=0.1, epsilon=0.05, iterations=3, codes=None):
    q1, q2 = codes or [sinkhorn(s, epsilon, iterations) for s in (scores1, scores2)]
    terms = [np.sum(q * np.log(softmax(s / temperature)), axis=1) for q, s in ((q1, scores2), (q2, scores1))]
    return -np.mean(terms)


@pytest.mark.parametrize("keys", [{}, {"epsilon": 0.5, "iterations": 1}])
def test_sinkhorn(keys):
    np.testing.assert_allclose(losses.sinkhorn(SCORES1, **keys), sinkhorn(SCORES1, **keys), rtol=1e-4, atol=1e-6)


def test_marginals():
    rows_alone, many = losses.sinkhorn(SCORES1).numpy(), losses.sinkhorn(SCORES1, iterations=200).numpy()
    np.testing.assert_allclose(rows_alone.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(many.sum(axis=0), 6 / 3, rtol=1e-3)


def test_sinkhorn_stands_scores_whose_exponentials_overflow():
    scores = 1000 * rows(64, 8)
    codes = losses.sinkhorn(scores).numpy()
    np.testing.assert_allclose(codes.sum(axis=1), 1, rtol=1e-4)
    np.testing.assert_allclose(losses.sinkhorn(SCORES1 + 1000), losses.sinkhorn(SCORES1), atol=1e-2)


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.5, "epsilon": 0.1, "iterations": 2}])
def test_swav_holds_its_codes(keys):
    codes = [sinkhorn(s, keys.get("epsilon", 0.05), keys.get("iterations", 3)) for s in (SCORES1, SCORES2)]
    held = partial(swav, codes=codes, **keys)
    check(partial(losses.swav, **keys), partial(swav, **keys), SCORES1, SCORES2, gradient=held)
