"""Against a concurrent control: what both arms share never alarms, and a fixed past does; bounds hold at every look."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.evidence import concurrent, tail
from monitor.evidence.attribution import attribute
from monitor.evidence.quantiles import quantile_band
from tests.bench.detection import arms
from tests.bench.detection.periods import USUAL, World, both
from tests.statistical.nulls import Ints, most

RUNS, ALPHA = 600, 0.1
BAR = math.log(1 / ALPHA)


def alarmed(here: Ints, control: Ints, ratio: float = 1.0) -> int:
    """Runs whose evidence reached the bar after any block of fifty units an arm."""
    return int((concurrent.log_evidence(here, 50, control, 50, ratio).max(axis=0) >= BAR).sum())


def test_a_daily_cycle_and_a_mix_shift_cancel() -> None:
    assert alarmed(*arms.cycle(0.1, 0.3, RUNS, 96, 50, 81)) <= most(RUNS, ALPHA)
    assert alarmed(*arms.mix_shift(RUNS, 96, 50, 82)) <= most(RUNS, ALPHA)


def test_one_block_for_a_whole_day_with_arms_at_different_hours_breaks_the_promise() -> None:
    """Blocked by time the arms are alike; added up over hours that one arm did not see, they are not."""
    here, control = arms.cycle(0.1, 0.3, RUNS, 12, 50, 83)
    later = arms.cycle(0.1, -0.3, RUNS, 12, 50, 84)[0]
    apart = concurrent.log_evidence(here.sum(axis=0), 600, later.sum(axis=0), 600)
    assert alarmed(here, control) <= most(RUNS, ALPHA)
    assert (np.asarray(apart) >= BAR).sum() > 3 * most(RUNS, ALPHA)


def test_tolerated_odds_that_are_used_up_exactly_keep_the_promise() -> None:
    rng = np.random.default_rng(85)
    rate = rng.uniform(0.02, 0.4, (80, 1))
    worse = 1.5 * rate / (1 - rate + 1.5 * rate)
    here, control = rng.binomial(50, worse, (80, RUNS)), rng.binomial(50, rate, (80, RUNS))
    assert alarmed(here, control, 1.5) <= most(RUNS, ALPHA)
    assert alarmed(here, control) > 5 * most(RUNS, ALPHA)


def latencies(rng: np.random.Generator, strata: np.ndarray, runs: int) -> np.ndarray:
    """Counts (T, S, R, 60) of latencies: `strata` (T, S) values in each block and stratum, the second one slower."""
    found = np.zeros((*strata.shape, runs, 60), np.int64)
    for t, s in np.ndindex(*strata.shape):
        values = np.clip(rng.normal(20 + 15 * s, 5, (runs, strata[t, s])).astype(int), 0, 59)
        np.add.at(found[t, s], (np.arange(runs)[:, None], values), 1)
    return found


def test_a_load_that_moves_to_the_slow_stratum_is_no_longer_tail() -> None:
    rng, runs = np.random.default_rng(86), 150
    load = np.array([[60, 10]] * 15 + [[20, 60]] * 15)
    here, control = latencies(rng, load, runs), latencies(rng, load, runs)
    past = latencies(rng, np.array([[60, 10]] * 30), runs)
    found = {"strata": 0, "against the past": 0}
    for r in range(runs):
        found["strata"] += tail.log_evidence(here[:, :, r], control[:, :, r], 0.9).max() >= BAR
        pooled = here[:, :, r].sum(axis=1, keepdims=True), past[:, :, r].sum(axis=1, keepdims=True)
        found["against the past"] += tail.log_evidence(*pooled, 0.9).max() >= BAR
    assert found["strata"] <= most(runs, ALPHA)
    assert found["against the past"] > 0.9 * runs


EDGES = np.geomspace(100.0, 100_000.0, 25)
"""Bins a third wide, as plans have them."""


def durations(rng: np.random.Generator, slower: float, spread: float, runs: int) -> Ints:
    """Counts (runs, 40, 1, 26) of eighty log-normal durations a block whose middle moves with the hour."""
    middle = 1_000 * (1 + 0.3 * np.sin(np.arange(40) / 6))
    values = slower * middle[:, None] * rng.lognormal(0, spread, (runs, 40, 80))
    found = np.zeros((runs, 40, 1, 26), np.int64)
    at = np.searchsorted(EDGES, values)
    np.add.at(found, (*np.ogrid[:runs, :40, :1][:2], 0, at), 1)
    return found


@pytest.mark.parametrize("spread", [0.3, 0.6, 1.2])
def test_a_tolerance_of_a_part_of_a_bin_that_is_used_up_keeps_the_promise_and_none_breaks_it(spread: float) -> None:
    rng, runs, crossed = np.random.default_rng(89), 200, {"tolerated": 0, "not tolerated": 0}
    part = math.log(1.15) / math.log(EDGES[1] / EDGES[0])
    here, control = durations(rng, 1.15, spread, runs), durations(rng, 1.0, spread, runs)
    for r in range(runs):
        crossed["tolerated"] += tail.log_evidence(here[r], control[r], 0.95, part=part).max() >= BAR
        crossed["not tolerated"] += tail.log_evidence(here[r], control[r], 0.95).max() >= BAR
    assert crossed["tolerated"] <= most(runs, ALPHA)
    assert crossed["not tolerated"] > most(runs, ALPHA)


def test_random_rates_at_or_under_the_tolerated_odds_keep_the_promise() -> None:
    """A composite null: in every run and block other sizes, another rate, and other odds up to the tolerated ones."""
    rng, shape = np.random.default_rng(90), (60, RUNS)
    rate, units, beside = rng.uniform(0.01, 0.6, shape), rng.integers(1, 80, shape), rng.integers(1, 80, shape)
    odds = np.where(rng.random(shape) < 0.8, 1.4, rng.uniform(0.2, 1.4, shape))
    here = odds * rate / (1 - rate + odds * rate)
    found = concurrent.log_evidence(rng.binomial(units, here), units, rng.binomial(beside, rate), beside, 1.4)
    assert (found.max(axis=0) >= BAR).sum() <= most(RUNS, ALPHA)
    plain = concurrent.log_evidence(rng.binomial(units, here), units, rng.binomial(beside, rate), beside)
    assert (plain.max(axis=0) >= BAR).sum() > most(RUNS, ALPHA)


@pytest.mark.parametrize("p", [0.5, 0.95])
def test_a_band_holds_its_quantile_at_every_look(p: float) -> None:
    rng, runs, missed = np.random.default_rng(87), 200, 0
    shape = np.exp(-0.5 * ((np.arange(40) - 15) / 5) ** 2)
    shape /= shape.sum()
    true = int(np.argmax(np.cumsum(shape) >= p))
    for _ in range(runs):
        sums = rng.multinomial(25, shape, 25).cumsum(axis=0)
        bands = [quantile_band(counts, p, ALPHA) for counts in sums]
        missed += any(not band.lower <= true <= band.upper for band in bands)
    assert missed <= most(runs, ALPHA)


@pytest.mark.parametrize(
    "world",
    [World(), World(quantization=0.05), World(engine=0.04, busy=0.5), World(mix=USUAL[::-1])],
    ids=["nothing", "quantization", "engine and load", "mix"],
)
def test_contributions_hold_the_truth_together(world: World) -> None:
    missed = 0
    for seed in range(40):
        before, now = both(world, 2_000, 88 + seed)
        found = attribute(before, now, 0.01, ALPHA)
        truth = world.truth(before, now)
        bounds = {cause: found.contributions[cause] for cause in truth}
        missed += any(not (b.lower or 0.0) - 1e-12 <= truth[c] <= (b.upper or 0.0) + 1e-12 for c, b in bounds.items())
    assert missed <= most(40, ALPHA)
