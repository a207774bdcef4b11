"""The k-NN probe against a loop."""

import math

import numpy as np
import pytest

from seqclr.probes.knn import KNNProbe
from tests.probes import pictures


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    samples = pictures.write(tmp_path_factory.mktemp("pictures"))
    return KNNProbe(samples[:39], samples[39:], pictures.CONFIG)


def voted(train, labels, x, k, temperature):
    """The class of one feature, neighbour by neighbour."""
    cosine = [float(a @ x / np.linalg.norm(a) / np.linalg.norm(x)) for a in train]
    votes = [0.0] * (max(labels) + 1)
    for row in sorted(range(len(train)), key=lambda row: -cosine[row])[:k]:
        votes[labels[row]] += math.exp(cosine[row] / temperature)
    return votes.index(max(votes))


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (7, 0.07), (7, 10.0), (200, 0.07), (200, 0.5)])
def test_votes_are_those_of_a_loop(probe, k, temperature):
    draw = np.random.default_rng(3)
    train, held = draw.normal(size=(39, 4)), draw.normal(size=(700, 4))
    probe.k, probe.temperature = k, temperature
    expected = [voted(train, probe.labels, x, min(k, 39), temperature) for x in held]
    assert len(set(expected)) == 3
    assert probe.classify(train, held, 0).tolist() == expected


def test_lengths_do_not_count(probe):
    draw = np.random.default_rng(4)
    train, held = draw.normal(size=(39, 4)), draw.normal(size=(20, 4))
    probe.k, probe.temperature = 5, 0.07
    stretched = train * draw.uniform(0.1, 10, (39, 1))
    assert probe.classify(train, held, 0).tolist() == probe.classify(stretched, 100 * held, 0).tolist()


def test_a_small_temperature_does_not_overflow(probe):
    probe.k, probe.temperature = 39, 1e-3
    train = np.eye(39, dtype=np.float32)
    assert (probe.classify(train, train, 0) == probe.labels).all()
