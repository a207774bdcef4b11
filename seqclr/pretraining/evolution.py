"""A search for the weights of several losses by CMA-ES, and its criterion, which needs no labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from seqclr.errors import UserError
from seqclr.extras import required

SPREAD = 1.0  # initial standard deviation of the logarithms of the weights


class Candidate(NamedTuple):
    """Weights that were tried. generation: 0 for equal weights, which are the first. divergence: lower is better."""

    generation: int
    divergence: float
    weights: tuple[float, ...]


def zipf_divergence(sizes: Sequence[int], exponent: float = 1.0) -> float:
    """The KL divergence of the shares of clusters, the largest first, from Zipf's law, `1 / rank ** exponent`.

    Piergiovanni et al. 2020, arXiv:2002.12177, section 3.3.
    """
    shares = np.sort(np.asarray(sizes, np.float64))[::-1] / np.sum(sizes)
    law = np.arange(1, len(shares) + 1) ** -exponent
    law /= law.sum()
    seen = shares > 0
    return float(np.sum(shares[seen] * np.log(shares[seen] / law[seen])))


def cma_es() -> type:
    """The class of the library. Raises MissingExtra where it is not installed."""
    with required("evolve"):
        from cmaes import CMA
    return CMA


def search(
    evaluate: Callable[[tuple[float, ...]], float],
    count: int,
    generations: int,
    population: int,
    seed: int,
    past: Sequence[Candidate] = (),
    record: Callable[[list[Candidate]], None] = lambda candidates: None,
) -> list[Candidate]:
    """All candidates of CMA-ES (Hansen 2016, arXiv:1604.00772), whose weights have the mean 1.

    evaluate: weights to divergence. count: number of weights. past: candidates of an interrupted search, which are not
    evaluated again. record: called with all candidates after each. Raises UserError where the past candidates are not
    those of this search.
    """
    found: list[Candidate] = []

    def measure(generation: int, weights: np.ndarray) -> float:
        values = tuple(float(weight) for weight in weights)
        if len(found) < len(past):
            candidate = past[len(found)]
            if candidate.generation != generation or not np.allclose(candidate.weights, values, rtol=1e-5):
                raise UserError("the candidates so far are of another seed or population: give the same, to resume")
            found.append(candidate)
        else:
            found.append(Candidate(generation, evaluate(values), values))
            record(found)
        return found[-1].divergence

    measure(0, np.ones(count))
    evolving = cma_es()(np.zeros(count), SPREAD, seed=seed, population_size=population)
    for generation in range(1, generations + 1):
        points = [evolving.ask() for _ in range(population)]
        evolving.tell([(point, measure(generation, relative(point))) for point in points])
    return found


def relative(logarithms: np.ndarray) -> np.ndarray:
    """Weights of the mean 1: their common factor has little effect on optimizers that scale gradients."""
    weights = np.exp(logarithms - logarithms.max())
    return weights / weights.mean()
