"""Live evidence beside a control, as plans use it: tolerances that become odds, categories, and late changes."""

from __future__ import annotations

import math

import numpy as np

from monitor.evidence import concurrent, detector
from monitor.evidence.bets import Floats
from monitor.evidence.category import averaged, one_against_rest
from monitor.evidence.concurrent import tolerated_odds
from tests.statistical.nulls import Ints, most

RUNS, BLOCKS, UNITS, ALPHA = 400, 80, 50, 0.1
BAR = math.log(1 / ALPHA)


def drawn(rng: np.random.Generator, rates: Floats) -> Ints:
    return np.asarray(rng.binomial(UNITS, rates), np.int64)


def used_up(rng: np.random.Generator, tolerance: float) -> tuple[Ints, Ints, Floats]:
    """Both arms (R, T) under a cycle, the one here at exactly the tolerated odds, and these odds."""
    rate = np.broadcast_to(0.1 + 0.05 * np.sin(np.arange(BLOCKS) / 6), (RUNS, BLOCKS))
    control = drawn(rng, rate)
    odds = tolerated_odds(control, np.full(control.shape, UNITS), tolerance)
    ratio = np.where(np.isfinite(odds), odds, 1.0) * rate / (1 - rate)
    return drawn(rng, ratio / (1 + ratio)), control, odds


def crossed(here: Ints, control: Ints, odds: Floats | float) -> int:
    """Runs whose evidence reached the bar after any block."""
    units = np.full(here.T.shape, UNITS)
    per_block = odds if isinstance(odds, float) else odds.T
    found = concurrent.log_evidence(here.T, units, control.T, units, per_block)
    return int((found.max(axis=0) >= BAR).sum())


def test_a_tolerance_that_is_used_up_exactly_keeps_the_promise_and_no_tolerance_breaks_it() -> None:
    here, control, odds = used_up(np.random.default_rng(91), 0.03)
    assert crossed(here, control, odds) <= most(RUNS, ALPHA)
    assert crossed(here, control, 1.0) > 3 * most(RUNS, ALPHA)


def shifts(rng: np.random.Generator) -> Floats:
    """Log evidence of the six questions about three categories, (R, 6, T), while both arms share a moving mix."""
    mix = np.stack([0.8 + 0.1 * np.sin(np.arange(BLOCKS) / 6), np.full(BLOCKS, 0.06)], axis=-1)
    shares = np.concatenate([mix, 1 - mix.sum(axis=1, keepdims=True)], axis=1)
    found = np.empty((RUNS, 6, BLOCKS))
    for r in range(RUNS):
        arms = [np.stack([rng.multinomial(UNITS, row) for row in shares]) for _ in (0, 1)]
        here, control = (one_against_rest(arm, np.full(BLOCKS, UNITS)) for arm in arms)
        gains = concurrent.gains(here[..., 0], UNITS, control[..., 0], UNITS)
        found[r] = concurrent.mixed(np.add.accumulate(gains, axis=-1))
    return found


def test_categories_together_keep_the_promise_and_the_largest_alone_does_not() -> None:
    found = shifts(np.random.default_rng(93))
    whole = np.array([max(averaged(found[r, :, t]) for t in range(BLOCKS)) for r in range(RUNS)])
    assert (whole >= BAR).sum() <= most(RUNS, ALPHA)
    assert (found.max(axis=(1, 2)) >= math.log(6 / ALPHA)).sum() <= most(RUNS, ALPHA)
    assert (found.max(axis=(1, 2)) >= BAR).sum() > (whole >= BAR).sum()


def test_late_changes_beside_a_control_alarm_falsely_no_oftener_than_promised() -> None:
    rng, alarms, patience = np.random.default_rng(94), 0, 400.0
    for _ in range(RUNS):
        here, control = (drawn(rng, np.full(BLOCKS, 0.1)) for _ in (0, 1))
        gains = concurrent.gains(here, UNITS, control, UNITS)
        state = detector.fresh(bets=24)
        for t in range(BLOCKS):
            state = detector.fold(state, gains[:, [t]], np.array([1]), np.array([t]))
            if float(concurrent.mixed(state.log_m)) >= math.log(patience):
                alarms += 1
                break
    assert alarms <= most(RUNS, BLOCKS / patience)
