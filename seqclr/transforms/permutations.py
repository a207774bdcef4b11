"""Permutations that are far apart. Host side: never imports TensorFlow."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np


@functools.cache
def permutations(length: int, count: int) -> np.ndarray:
    """`uint8 [count, length]`: different orders of so many things, chosen one after the other, each the one with the
    largest mean Hamming distance to those before it; at most the `length!` that there are.

    The same every time. With 100 of 9 the mean distance of two is 8.08 places, as large as it can be. Noroozi & Favaro
    2016, arXiv:1603.09246, algorithm 1.
    """
    every = np.array(list(itertools.permutations(range(length))), np.uint8)
    every = np.random.default_rng(0).permutation(every)  # or those that are alike would be chosen among equals
    positions = np.ascontiguousarray(every.T)
    alike = np.zeros(len(every), np.int32)  # places in which each agrees with those that are chosen, summed up
    chosen = [0]
    while len(chosen) < min(count, math.factorial(length)):
        for position in positions:
            alike += position == position[chosen[-1]]
        alike[chosen[-1]] = np.iinfo(np.int32).max // 2
        chosen.append(int(np.argmin(alike)))
    return every[chosen]
