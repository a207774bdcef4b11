"""Permutations with large Hamming distances. Host side: never imports TensorFlow."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np


@functools.cache
def permutations(length: int, count: int) -> np.ndarray:
    """Different permutations, `uint8 [count, length]`, at most all `length!`; the same in every call.

    Each is chosen for the largest mean Hamming distance to those before it. For 100 permutations of 9 the mean distance
    of two is 8.08 positions, the largest possible. Noroozi & Favaro 2016, arXiv:1603.09246, algorithm 1.
    """
    every = np.array(list(itertools.permutations(range(length))), np.uint8)
    # shuffled, so that ties are broken at random: in lexical order, neighbours are similar
    every = np.random.default_rng(0).permutation(every)
    positions = np.ascontiguousarray(every.T)
    alike = np.zeros(len(every), np.int32)  # positions in which each agrees with the chosen ones, summed
    chosen = [0]
    while len(chosen) < min(count, math.factorial(length)):
        for position in positions:
            alike += position == position[chosen[-1]]
        alike[chosen[-1]] = np.iinfo(np.int32).max // 2
        chosen.append(int(np.argmin(alike)))
    return every[chosen]
