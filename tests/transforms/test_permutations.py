"""Permutations that are far apart."""

import itertools

import numpy as np
import pytest

from seqclr.transforms.permutations import permutations


def distance(orders):
    """The mean Hamming distance of two."""
    return np.mean([(a != b).sum() for a, b in itertools.combinations(orders, 2)])


def test_they_are_different_orders_as_far_apart_as_can_be():
    chosen = permutations(9, 100)
    assert (np.sort(chosen, axis=1) == np.arange(9)).all() and len(np.unique(chosen, axis=0)) == 100
    # at best each thing is at each place 11 or 12 times, and pairs agree where they have the same thing at a place
    agreeing = 9 * (8 * 11 * 10 / 2 + 12 * 11 / 2) / (100 * 99 / 2)
    assert distance(chosen) == pytest.approx(9 - agreeing) == pytest.approx(8.08, abs=0.005)
    rng = np.random.default_rng(0)
    for _ in range(5):
        assert distance(chosen) > distance([rng.permutation(9) for _ in range(100)])


def test_each_is_the_farthest_from_those_before():
    chosen = permutations(4, 12)
    for count in range(1, 12):
        before = chosen[:count]
        left = [p for p in itertools.permutations(range(4)) if p not in set(map(tuple, before.tolist()))]
        means = [(before != np.array(p)).sum(1).mean() for p in left]
        assert (before != chosen[count]).sum(1).mean() == pytest.approx(max(means))


def test_there_are_no_more_than_there_are_and_they_are_the_same_every_time():
    assert len(np.unique(permutations(4, 100), axis=0)) == 24 == len(permutations(4, 100))
    again = permutations.__wrapped__(9, 20)
    np.testing.assert_array_equal(again, permutations(9, 100)[:20])
