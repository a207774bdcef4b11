"""The benchmark of translation: its distance, and its table."""

import numpy as np
import pytest
import translation as benchmark


def test_the_frechet_distance_of_normal_distributions():
    """Of diagonal covariances it is the squared distance of the means and of the standard deviations."""
    rng = np.random.default_rng(0)
    one = rng.normal([0, 1, 2], [1, 2, 3], (200_000, 3))
    other = rng.normal([3, 1, 0], [2, 2, 1], (200_000, 3))
    assert benchmark.frechet(one, other) == pytest.approx(9 + 4 + 1 + 4, rel=0.02)
    assert benchmark.frechet(one, one) == pytest.approx(0, abs=1e-6)


def test_the_table_has_the_means_of_all_sites():
    row = {"distance": 1.0, "readable": 0.5, "reader": 0.25}
    results = {"a": {"train images": {"distance": 0.5}, "cut": row}, "b": {"cut": {**row, "reader": 0.75}}}
    assert benchmark.table(results).splitlines()[2:] == [
        "| train images | a | 0.500 |  |  |",
        "| cut | a | 1.000 | 0.500 | 0.250 |",
        "| cut | b | 1.000 | 0.500 | 0.750 |",
        "| cut | mean | 1.000 | 0.500 | 0.500 |",
    ]
