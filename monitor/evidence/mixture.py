"""The mixture over bets for many checks at once, compiled: each check alone, in one order, so equal in any batch."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FAR = 45.0
"""A bet this far under the best one, in nats, adds nothing in double precision."""


@njit(cache=True)
def log_mixed(growth: Floats, which: Ints, log_weights: Floats, counts: Floats) -> Floats:
    """log sum_k w_k exp(sum_j growth[which[i], k, j] counts[i, j]) for each i.

    Shapes: growth (M, K, J), which (N,), log_weights (K,), counts (N, J); the answer (N,).
    """
    found = np.empty(counts.shape[0])
    wealth = np.empty(log_weights.size)
    for i in range(counts.shape[0]):
        own, peak = growth[which[i]], -math.inf
        for k in range(log_weights.size):
            total = log_weights[k]
            for j in range(counts.shape[1]):
                total += own[k, j] * counts[i, j]
            wealth[k] = total
            peak = max(peak, total)
        mass = 0.0
        for k in range(log_weights.size):
            if wealth[k] > peak - FAR:
                mass += math.exp(wealth[k] - peak)
        found[i] = peak + math.log(mass)
    return found
