"""Worlds in which the null is true, simulated in blocks, and the bounds that tests of a promise use.

A world maps (rng, sums so far (R, 3), block) to outcome probabilities (R, 3) on (-1, 0, 1).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
World = Callable[[np.random.Generator, Ints, int], Floats]


def most(runs: int, probability: float) -> int:
    """The largest count of bad runs that chance explains: the binomial's 99.9 % point at the promised rate."""
    return int(binom.ppf(0.999, runs, probability))


def triples(mean: npt.ArrayLike, discordance: npt.ArrayLike) -> Floats:
    """Probabilities of (-1, 0, 1) with this mean and this share of discordant pairs, shape (..., 3)."""
    centre, spread = np.broadcast_arrays(np.asarray(mean, float), np.asarray(discordance, float))
    up, down = (spread + centre) / 2, (spread - centre) / 2
    return np.stack([down, 1 - spread, up], axis=-1)


def boundary(mean: float, discordance: float) -> World:
    """Independent pairs with exactly this mean."""
    return lambda rng, sums, block: np.broadcast_to(triples(mean, discordance), sums.shape)


def composite(mean: float) -> World:
    """Every run and block another mean at or under `mean`, and another discordance."""

    def world(rng: np.random.Generator, sums: Ints, block: int) -> Floats:
        spread = rng.uniform(abs(mean), 1.0, len(sums))
        lower = np.where(rng.random(len(sums)) < 0.8, mean, rng.uniform(-spread, mean))
        return triples(lower, spread)

    return world


def adaptive(mean: float) -> World:
    """The mean stays at `mean`; who is losing gambles with wide outcomes, who is winning plays safe."""

    def world(rng: np.random.Generator, sums: Ints, block: int) -> Floats:
        losing = sums[:, 2] - sums[:, 0] < mean * sums.sum(axis=1)
        return triples(mean, np.where(losing, 1.0, max(abs(mean), 0.02)))

    return world


def simulate(world: World, *, runs: int, blocks: int, size: int, seed: int) -> Ints:
    """Counts of each block, shape (blocks, runs, 3), `size` pairs a block."""
    rng = np.random.default_rng(seed)
    table, sums = np.zeros((blocks, runs, 3), np.int64), np.zeros((runs, 3), np.int64)
    for block in range(blocks):
        table[block] = rng.multinomial(size, world(rng, sums, block))
        sums = sums + table[block]
    return table


def ever(statistic: Callable[[Ints], Floats], sums: Ints, threshold: float) -> npt.NDArray[np.bool_]:
    """Runs (R,) in which the statistic of the sums (T, R, J) reached the threshold at some look."""
    reached = np.zeros(sums.shape[1:-1], np.bool_)
    for looks in np.array_split(sums, -(-len(sums) // 5)):
        reached |= (statistic(looks) >= threshold).any(axis=0)
    return reached
