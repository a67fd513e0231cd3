"""The e-process fails at most alpha of the healthy builds, at any number of looks, over all nulls tried."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.evidence.bets import SCORE_GRID, YES_NO, log_all_clear, log_evidence
from tests.statistical.nulls import World, adaptive, boundary, composite, ever, most, simulate

RUNS, BLOCKS, SIZE = 2000, 60, 25

WORLDS = [
    ("at the tolerance, few discordant", 0.02, boundary(0.02, 0.03)),
    ("at the tolerance, many discordant", 0.05, boundary(0.05, 0.60)),
    ("everything discordant", 0.20, boundary(0.20, 1.0)),
    ("tolerance zero", 0.0, boundary(0.0, 0.10)),
    ("means and spreads move", 0.05, composite(0.05)),
    ("the loser gambles", 0.02, adaptive(0.02)),
]


def crossings(counts: np.ndarray, margin: float, alpha: float) -> int:
    """Runs in which the evidence reached log(1/alpha) at some look."""
    sums = counts.cumsum(axis=0)
    return int(ever(lambda looks: log_evidence(YES_NO, looks, margin), sums, math.log(1 / alpha)).sum())


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize(("reason", "margin", "world"), WORLDS, ids=[w[0] for w in WORLDS])
def test_a_healthy_build_fails_at_most_alpha(reason: str, margin: float, world: World, alpha: float) -> None:
    counts = simulate(world, runs=RUNS, blocks=BLOCKS, size=SIZE, seed=11)
    assert crossings(counts, margin, alpha) <= most(RUNS, alpha)


@pytest.mark.parametrize(("reason", "margin", "world"), WORLDS, ids=[w[0] for w in WORLDS])
def test_a_harmful_build_is_cleared_at_most_alpha(reason: str, margin: float, world: World) -> None:
    mirrored = simulate(world, runs=RUNS, blocks=BLOCKS, size=SIZE, seed=12)[..., ::-1]
    cleared = ever(lambda looks: log_all_clear(YES_NO, looks, -margin), mirrored.cumsum(axis=0), math.log(20))
    assert cleared.sum() <= most(RUNS, 0.05)


def test_looking_after_every_single_pair_costs_nothing() -> None:
    counts = simulate(boundary(0.05, 0.3), runs=1000, blocks=400, size=1, seed=13)
    assert crossings(counts, 0.05, 0.1) <= most(1000, 0.1)


def test_score_differences_keep_the_promise() -> None:
    rng = np.random.default_rng(14)
    grid = np.asarray(SCORE_GRID)
    shape = rng.dirichlet(np.full(33, 0.2), size=600)
    margin = shape @ grid
    inside = np.abs(margin) < 0.9
    counts = rng.multinomial(20, shape[inside], size=(40, int(inside.sum()))).cumsum(axis=0)
    failed = ever(lambda looks: log_evidence(SCORE_GRID, looks, margin[inside]), counts, math.log(10))
    assert failed.sum() <= most(int(inside.sum()), 0.1)


def test_unequal_sampling_is_paid_by_weights_and_only_by_weights() -> None:
    """A thin stratum is kept whole, a harmless one at a tenth: unweighted bets take the sample for the traffic."""
    rng = np.random.default_rng(15)
    harm, traffic, kept = np.array([0.30, 0.0]), np.array([0.1, 0.9]), np.array([1.0, 0.1])
    margin = float(harm @ traffic)
    share = traffic * kept / (traffic * kept).sum()
    cells = np.concatenate([share[0] * np.array([0, 0.7, 0.3]), share[1] * np.array([0.05, 0.9, 0.05])])
    counts = rng.multinomial(25, cells, size=(60, 1500)).cumsum(axis=0)
    support, weights = YES_NO * 2, (0.1, 0.1, 0.1, 1.0, 1.0, 1.0)
    fair = ever(lambda c: log_evidence(support, c, margin, weights=weights), counts, math.log(20))
    naive = ever(lambda c: log_evidence(support, c, margin), counts, math.log(20))
    assert fair.sum() <= most(1500, 0.05)
    assert naive.mean() > 0.9
