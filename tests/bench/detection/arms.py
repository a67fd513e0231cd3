"""Pairs, and two arms at the same time: counts by block, seeded. Pairs are (better, same, worse)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def pairs(worse: float, better: float, runs: int, blocks: int, size: int, seed: int) -> Ints:
    """Independent pairs, counts of shape (blocks, runs, 3)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(size, (better, 1.0 - worse - better, worse), size=(blocks, runs)).astype(np.int64)


def strata(runs: int, blocks: int, size: int, seed: int) -> tuple[Ints, float]:
    """Pairs of a thin stratum kept whole and of a large one kept at a tenth, (blocks, runs, 6), and their true harm."""
    rng = np.random.default_rng(seed)
    harm, traffic, kept = np.array([0.30, 0.0]), np.array([0.1, 0.9]), np.array([1.0, 0.1])
    share = traffic * kept / (traffic * kept).sum()
    cells = np.concatenate([share[0] * np.array([0, 0.7, 0.3]), share[1] * np.array([0.05, 0.9, 0.05])])
    return rng.multinomial(size, cells, size=(blocks, runs)).astype(np.int64), float(harm @ traffic)


def cycle(rate: float, swing: float, runs: int, blocks: int, size: int, seed: int) -> tuple[Ints, Ints]:
    """Yes counts (blocks, runs) of both arms, whose common rate swings with the hour; a day is 24 blocks."""
    rng = np.random.default_rng(seed)
    rates = rate * (1.0 + swing * np.sin(np.arange(blocks) * np.pi / 12))
    shape = (blocks, runs)
    return rng.binomial(size, rates[:, None], shape), rng.binomial(size, rates[:, None], shape)


def mix_shift(runs: int, blocks: int, size: int, seed: int) -> tuple[Ints, Ints]:
    """Half of the way, the share of a slice that fails at 12 % instead of 1 % rises from a tenth to a half."""
    rng = np.random.default_rng(seed)
    hard = np.where(np.arange(blocks) < blocks // 2, 0.1, 0.5)[:, None]
    both = []
    for _ in range(2):
        many = rng.binomial(size, hard, (blocks, runs))
        both.append(rng.binomial(many, 0.12) + rng.binomial(size - many, 0.01))
    return both[0], both[1]
