"""Queries against keys: the keys get no gradient."""

from functools import partial

import numpy as np
import pytest

from seqclr import losses
from tests.losses.reference import check, cross_entropy, diagonal, rows, unit

Q1, K2, Q2, K1 = (rows(4, 3, seed=seed) for seed in range(4))


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.2}])
def test_info_nce_queue(keys):
    def info_nce_queue(query, key, queue, temperature=0.07):
        q, k, queue = unit(query), unit(key), unit(queue)
        return np.mean([cross_entropy(np.append(q[i] @ k[i], queue @ q[i]) / temperature, 0) for i in range(len(q))])

    loss = partial(losses.info_nce_queue, **keys)
    check(loss, partial(info_nce_queue, **keys), Q1, K2, rows(6, 3, seed=4), stopped=(1, 2))


@pytest.mark.parametrize("keys", [{}, {"temperature": 1.0}])
def test_moco_v3(keys):
    def moco_v3(q1, k2, q2, k1, temperature=0.2):
        directions = [diagonal(unit(q) @ unit(k).T / temperature) for q, k in ((q1, k2), (q2, k1))]
        return 2 * temperature * sum(directions)

    check(partial(losses.moco_v3, **keys), partial(moco_v3, **keys), Q1, K2, Q2, K1, stopped=(1, 3))


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.5}])
def test_nnclr(keys):
    def nnclr(near1, p2, near2, p1, temperature=0.1):
        return np.mean([diagonal(unit(near) @ unit(p).T / temperature) for near, p in ((near1, p2), (near2, p1))])

    check(partial(losses.nnclr, **keys), partial(nnclr, **keys), Q1, K2, Q2, K1, stopped=(0, 2))


@pytest.mark.parametrize("keys", [{}, {"temperature": 1.0}])
def test_relational(keys):
    def relational(query, key, queue, temperature=0.04):
        divergences = []
        for both in zip(unit(query), unit(key)):
            p, q = (np.exp(unit(queue) @ row / temperature) for row in both)
            p, q = p / p.sum(), q / q.sum()
            divergences.append(sum(p * np.log(p / q)) / 2 + sum(q * np.log(q / p)) / 2)
        return np.mean(divergences)

    check(partial(losses.relational, **keys), partial(relational, **keys), Q1, K2, rows(6, 3, seed=4), stopped=(1, 2))


def test_curl_learns_its_weight():
    def curl(query, key, weight):
        logits = query @ weight @ key.T
        return diagonal(logits - logits.max(axis=1, keepdims=True))

    check(losses.curl, curl, Q1, K2, rows(3, 3, seed=4), stopped=(1,))


def test_curl_stands_large_logits():
    query = 100 * np.eye(3, dtype=np.float32)
    assert float(losses.curl(query, query, np.ones((3, 3)))) == pytest.approx(np.log(3))


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.5}])
def test_patch_nce_has_the_negatives_of_each_image(keys):
    def patch_nce(query, key, temperature=0.07):
        return np.mean([diagonal(unit(q) @ unit(k).T / temperature) for q, k in zip(query, key)])

    query, key = rows(2, 4, 3, seed=1), rows(2, 4, 3, seed=2)
    check(partial(losses.patch_nce, **keys), partial(patch_nce, **keys), query, key, stopped=(1,))


def test_patches_of_one_position_are_no_negatives_of_each_other():
    """The second and the last row of the first image: each sees itself and the two others."""
    query, key = rows(2, 4, 3, seed=1), rows(2, 4, 3, seed=2)
    logits = np.stack([unit(q) @ unit(k).T / 0.5 for q, k in zip(query, key)])
    logits[0, 1, 3] = logits[0, 3, 1] = -np.inf
    expected = np.mean([np.log(np.exp(image).sum(1)) - np.diag(image) for image in logits])
    found = losses.patch_nce(query, key, 0.5, np.int32([[7, 2, 5, 2], [0, 1, 2, 3]]))
    assert float(found) == pytest.approx(expected, rel=1e-5)
