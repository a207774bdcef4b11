"""Intervals of accuracy, and forecasts of labels."""

import pytest

from seqclr.labelling.progress import accuracy, forecast


@pytest.mark.parametrize(
    ("right", "n", "interval"),
    [(0, 0, (0, 0, 1)), (81, 263, (0.308, 0.255, 0.366)), (20, 20, (1, 0.839, 1)), (0, 20, (0, 0, 0.161))],
)
def test_the_interval_is_that_of_wilson(right, n, interval):
    assert accuracy(right, n) == pytest.approx(interval, abs=6e-4)  # 81 of 263: Newcombe 1998, table I


def test_a_forecast_follows_the_learning_curve():
    points = [(n, 1 - 0.8 * n**-0.5, 5000) for n in (20, 50, 100, 200)]
    assert forecast(points, 0.96) == pytest.approx(400, rel=0.1)
    assert forecast(points, 0.9) == pytest.approx(64, rel=0.1)
    assert forecast(points[:1], 0.9) > 20  # the prior of the exponent
    assert forecast(points, 0.999) is None  # too far


def test_few_images_tell_less_than_many():
    """Of 10 images a wrong one says little against the curve that the others are on."""
    points = [(20, 0.8, 500), (50, 0.88, 500)]
    assert abs(forecast([*points, (100, 0.8, 10)], 0.95) - forecast(points, 0.95)) < 100


def test_a_few_right_images_do_not_show_that_labels_suffice():
    assert forecast([(20, 1.0, 7)], 0.98) > 100
    assert forecast([(20, 1.0, 200)], 0.98) < 20


@pytest.mark.parametrize("points", [[], [(0, 0.8, 50)], [(20, 0.8, 0)], [(20, 0.5, 200), (100, 0.5, 200)]])
def test_there_is_no_forecast_without_a_curve(points):
    assert forecast(points, 0.98) is None
