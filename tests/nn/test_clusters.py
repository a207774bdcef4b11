"""Clusters of features: found where there are some, as large as asked for."""

import numpy as np
import pytest

from seqclr.nn import clusters


def blobs(count=4, each=20, dim=8):
    """Rows of well parted clusters, and whose they are."""
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(dim)[:count] * 10, each, axis=0) + rng.normal(0, 0.1, (count * each, dim))
    order = rng.permutation(len(rows))
    return rows[order].astype(np.float32), np.repeat(np.arange(count), each)[order]


def test_k_means_finds_clusters_whatever_their_scale():
    rows, truth = blobs()
    rows = 1000 * rows + 5
    found = clusters.k_means(rows, 4, seed=1, dimensions=3)
    assert clusters.agreement(truth, found) == pytest.approx(1)
    np.testing.assert_array_equal(found, clusters.k_means(rows, 4, seed=1, dimensions=3))


def test_no_cluster_is_empty():
    rows = np.random.default_rng(0).normal(size=(60, 5))
    assert set(clusters.k_means(rows, 20, seed=0)) == set(range(20))


def test_agreement_is_of_the_partition_not_of_its_names():
    assert clusters.agreement(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2])) == pytest.approx(1)
    assert clusters.agreement(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])) == pytest.approx(0, abs=1e-6)


def test_equal_classes_are_equal_and_likely():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(400, 8)) + np.linspace(3, 0, 8)  # the first classes are liked by all
    scores = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    found = clusters.sized_classes(scores, sharpness=25.0, tolerance=1e-3)
    assert np.bincount(scores.argmax(1), minlength=8).max() > 150
    assert np.abs(np.bincount(found, minlength=8) - 50).max() <= 5
    of_chance = scores[np.arange(400), rng.permutation(np.arange(400) % 8)].mean()
    assert scores[np.arange(400), found].mean() > of_chance + 1


def test_equal_classes_are_those_of_sinkhorn_knopp_in_the_log_domain():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(600, 12)) * rng.uniform(0.2, 6, 12) + np.linspace(24, 0, 12)  # P ** 25 underflows
    scores -= np.log(np.exp(scores).sum(1, keepdims=True))
    plan = 25 * scores
    for _ in range(3000):
        plan -= np.log(600) + np.logaddexp.reduce(plan, axis=1)[:, None]
        plan -= np.log(12) + np.logaddexp.reduce(plan, axis=0)
    found = clusters.sized_classes(scores, sharpness=25.0, tolerance=1e-9)
    assert (25 * scores).min() < -700 and (found == plan.argmax(1)).mean() > 0.99


def long_tail():
    """Log probabilities of rows of four classes of 600, 250, 100 and 50, and their classes."""
    truth, rng = np.repeat(np.arange(4), [600, 250, 100, 50]), np.random.default_rng(0)
    logits = 4 * np.eye(4)[truth] + 1.5 * rng.normal(size=(1000, 4))
    return logits - np.log(np.exp(logits).sum(1, keepdims=True)), truth


def test_classes_of_given_sizes_have_them():
    scores, truth = long_tail()
    found = clusters.sized_classes(scores, np.array([0.6, 0.25, 0.1, 0.05]), tolerance=1e-3)
    assert np.abs(np.bincount(found) - [600, 250, 100, 50]).max() <= 5 and (found == truth).mean() > 0.93


def test_sizes_are_estimated_between_equal_ones_and_none():
    """The less they are kept near equal ones, the nearer they are to the truth."""
    scores, truth = long_tail()
    equal = clusters.sized_classes(scores)
    right = [
        (found == truth).mean() for found in (equal, *(clusters.sized_classes(scores, balance=b) for b in (1, 0.3)))
    ]
    assert right[0] < 0.65 and right[1] > 0.8 and right[2] > right[1]
    assert (clusters.sized_classes(scores, balance=1e4) == equal).mean() > 0.97


def test_estimated_sizes_are_the_optimum_of_the_penalised_likelihood():
    """log(size / share) is minus the class's potential by `balance`: checked on the plan in the log domain."""
    scores, _ = long_tail()
    plan, potential, power = 25 * scores, np.zeros(4), 0.3 * 25 / (1 + 0.3 * 25)
    for _ in range(500):
        rows = -np.log(1000) - np.logaddexp.reduce(plan + potential, axis=1)
        potential = power * (np.log(0.25) - np.logaddexp.reduce(plan + rows[:, None], axis=0))
    sizes = np.exp(plan + rows[:, None] + potential).sum(0)
    np.testing.assert_allclose(np.log(sizes / 0.25), -potential / (0.3 * 25), atol=1e-4)
    found = clusters.sized_classes(scores, balance=0.3, tolerance=1e-9)
    assert ((plan + potential).argmax(1) == found).mean() > 0.999


def test_cliques_are_alike_and_share_no_row():
    rows, truth = blobs(4, 20)
    found = clusters.cliques(rows, count=6, size=5, seed=0)
    members = np.bincount(found[found >= 0])
    assert len(members) <= 6 and (members == 5).all() and (found == -1).sum() == len(rows) - members.sum()
    for clique in range(len(members)):
        assert len(set(truth[found == clique])) == 1
