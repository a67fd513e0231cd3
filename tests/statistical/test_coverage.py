"""The confidence sequence holds the true mean at all looks at once, for at least 1 - alpha of the runs."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.evidence.bets import SCORE_GRID, YES_NO, log_all_clear, log_evidence
from monitor.evidence.interval import bounds
from tests.statistical.nulls import boundary, ever, most, simulate


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 0.01), (0.02, 0.05), (-0.3, 0.9), (0.6, 0.62)])
def test_bounds_hold_the_mean_at_every_look(mean: float, spread: float) -> None:
    runs, alpha = 250, 0.1
    sums = simulate(boundary(mean, spread), runs=runs, blocks=16, size=20, seed=31).cumsum(axis=0)
    lower, upper = bounds(YES_NO, sums, alpha / 2, alpha / 2)
    missed = (lower > mean) | (upper < mean)
    assert missed.any(axis=0).sum() <= most(runs, alpha)


@pytest.mark.parametrize("mean", [0.0, 0.05, 0.5])
def test_a_mean_is_held_at_a_thousand_looks(mean: float) -> None:
    """Whether a mean is held is whether neither e-process rules it out, so it can be asked at every pair."""
    runs, alpha = 400, 0.1
    sums = simulate(boundary(mean, 0.6), runs=runs, blocks=1000, size=1, seed=32).cumsum(axis=0)
    missed = [
        ever(lambda looks, side=side: side(YES_NO, looks, mean), sums, np.log(2 / alpha))
        for side in (log_evidence, log_all_clear)
    ]
    assert (missed[0] | missed[1]).sum() <= most(runs, alpha)


def test_score_bounds_hold_the_mean() -> None:
    rng = np.random.default_rng(33)
    shape = rng.dirichlet(np.full(33, 0.3), size=200)
    mean = shape @ np.asarray(SCORE_GRID)
    sums = rng.multinomial(15, shape, size=(6, 200)).cumsum(axis=0)
    lower, upper = bounds(SCORE_GRID, sums, 0.05, 0.05)
    assert ((lower > mean) | (upper < mean)).any(axis=0).sum() <= most(200, 0.1)


def test_a_rate_uses_its_own_range() -> None:
    rng = np.random.default_rng(34)
    yes = rng.binomial(30, 0.04, size=(15, 300)).cumsum(axis=0)
    units = 30 * np.arange(1, 16)[:, None]
    lower, upper = bounds((0.0, 1.0), np.stack([units - yes, yes], -1), 0.05, 0.05, low=0.0)
    assert ((lower > 0.04) | (upper < 0.04)).any(axis=0).sum() <= most(300, 0.1)
    assert np.median(upper[-1] - lower[-1]) < 0.08
