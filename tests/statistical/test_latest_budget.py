"""Both anchors together wrongly pass at most alpha, and an old good record does not cover for a new bad one."""

from __future__ import annotations

import numpy as np

from monitor.evidence import latest
from monitor.evidence.bets import YES_NO, log_all_clear
from tests.statistical.nulls import boundary, most, simulate


def cleared(blocks: np.ndarray, rule: latest.WindowRule, tolerance: float, since: int = 0) -> np.ndarray:
    """Runs that were clear since the deploy and in a latest window begun at or after block `since`, at some look."""
    state = latest.fresh(3, blocks.shape[1:-1])
    ever = np.zeros(blocks.shape[1], bool)
    for number, (counts, sums) in enumerate(zip(blocks, blocks.cumsum(axis=0), strict=True)):
        state = latest.advance(rule, state, counts, number)
        whole = log_all_clear(YES_NO, sums, tolerance) >= -np.log(rule.alpha)
        clear = log_all_clear(YES_NO, state.counts, tolerance) >= rule.threshold(state.window)
        ever |= whole & clear & (state.start >= since)
    return ever


def test_harm_at_the_tolerance_is_cleared_in_no_window_beyond_alpha() -> None:
    blocks = simulate(boundary(0.1, 0.5), runs=1000, blocks=200, size=20, seed=51)
    rule = latest.WindowRule(100, 0.2)
    assert cleared(blocks, rule, 0.1).sum() <= most(1000, 0.2)


def test_good_old_pairs_do_not_cover_for_bad_new_ones() -> None:
    good = simulate(boundary(0.0, 0.1), runs=400, blocks=100, size=20, seed=52)
    bad = simulate(boundary(0.1, 0.2), runs=400, blocks=100, size=20, seed=53)
    blocks = np.concatenate([good, bad])
    rule = latest.WindowRule(100, 0.2)
    whole = log_all_clear(YES_NO, blocks.cumsum(axis=0)[110:130], 0.1) >= np.log(5)
    assert whole.all()
    assert cleared(blocks, rule, 0.1, since=100).sum() <= most(400, 0.2)


def test_a_build_that_passes_goes_on_passing() -> None:
    rule = latest.WindowRule(latest.size_for(0.05, 0.05), 0.05)
    blocks = simulate(boundary(0.0, 0.05), runs=100, blocks=200, size=40, seed=54)
    state = latest.fresh(3, (100,))
    shares = []
    for number, counts in enumerate(blocks):
        state = latest.advance(rule, state, counts, number)
        clear = log_all_clear(YES_NO, state.counts, 0.05) >= rule.threshold(state.window)
        shares.append(clear.mean())
    assert np.mean(shares[50:]) > 0.9
