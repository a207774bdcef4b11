"""How accurate a reader is on confirmed labels, and how many labels another accuracy needs."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

NORMAL = 1.96  # standard deviations on either side of the mean that hold 95 % of a normal distribution
EXPONENT, SPREAD = 0.45, 0.5  # prior of the learning curve's exponent: median, standard deviation of the logarithm
FARTHEST = 20  # times the present labels: a forecast beyond is none


def accuracy(right: int, n: int) -> tuple[float, float, float]:
    """The share of n images that were right, and the ends of its interval of 95 % (Wilson 1927).

    Of no image it is 0, between 0 and 1.
    """
    if n == 0:
        return 0.0, 0.0, 1.0
    share, z2 = right / n, NORMAL**2
    centre = share + z2 / (2 * n)
    margin = NORMAL * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = ((centre + sign * margin) / (1 + z2 / n) for sign in (-1, 1))
    return share, min(max(low, 0.0), share), max(min(high, 1.0), share)


def forecast(points: Iterable[tuple[int, float, int]], target: float) -> int | None:
    """How many labels in all an accuracy needs, or None if the points do not tell.

    The error falls with a power of the number of labels, error = a n^-b (Hestness et al. 2017, arXiv:1712.00409); the
    answer is the median under the posterior of a and b, of a binomial likelihood, a prior of b, and a uniform prior of
    the error with the fewest labels: a few images that are all right do not show that the labels suffice.

    points: of each reader its labels, its accuracy, and the number of images on which the accuracy was measured.
    target: an accuracy, 0 to 1.
    """
    known = [(labels, share, n) for labels, share, n in points if labels > 0 and n > 0]
    if not known or not 0 < target < 1:
        return None
    labels, shares, counts = (np.array(column, float)[:, None, None] for column in zip(*known))
    exponents = np.geomspace(0.05, 2, 150)[None, :, None]
    at_first = np.geomspace(1e-4, 1, 600)[None, None, :]  # the error with the fewest labels
    errors = np.clip(at_first * (labels / labels.min()) ** -exponents, 1e-9, 1 - 1e-9)
    likelihood = counts * (shares * np.log(1 - errors) + (1 - shares) * np.log(errors))
    prior = -0.5 * (np.log(exponents / EXPONENT) / SPREAD) ** 2 + np.log(at_first)  # the grid is logarithmic
    log_posterior = (likelihood.sum(axis=0) + prior[0]).ravel()
    needed = (labels.min() * (at_first / (1 - target)) ** (1 / exponents)).ravel()
    order = np.argsort(needed)
    mass = np.cumsum(np.exp(log_posterior - log_posterior.max())[order])
    median = needed[order][np.searchsorted(mass, mass[-1] / 2)]
    most = int(labels.max())
    return None if median > FARTHEST * most else max(math.ceil(median), 1)
