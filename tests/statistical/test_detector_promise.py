"""False alarms of the change detectors stay under T / A for every T, restarts included; changes are found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.evidence import cusum, detector, levels
from monitor.evidence.baseline import rate_bound
from monitor.evidence.bets import YES_NO
from tests.statistical.nulls import World, adaptive, boundary, most, simulate


def alarms(blocks: np.ndarray, margin: float, patience: float) -> np.ndarray:
    """Which runs alarm in which block, shape (T, R), the detector starting anew after each alarm."""
    state = detector.fresh(blocks.shape[1:-1])
    fired = np.zeros(blocks.shape[:-1], bool)
    for number, counts in enumerate(blocks):
        state = detector.update(state, YES_NO, counts, margin, number)
        fired[number] = detector.log_value(state) >= math.log(patience)
        state = detector.restart(state, fired[number])
    return fired


def assert_promise(fired: np.ndarray, patience: float) -> None:
    """Mean alarms within T/A up to 3.1 standard errors, and first alarms within their binomial bound."""
    blocks, runs = fired.shape
    total = fired.sum(axis=0)
    assert total.mean() <= blocks / patience + 3.1 * total.std() / math.sqrt(runs)
    early = fired[: int(patience // 4)].any(axis=0).sum()
    assert early <= most(runs, 0.25)


@pytest.mark.parametrize(
    ("world", "margin"),
    [(boundary(0.02, 0.1), 0.02), (boundary(0.2, 1.0), 0.2), (adaptive(0.05), 0.05)],
    ids=["few discordant", "all discordant", "the loser gambles"],
)
def test_false_pages_stay_within_the_budget(world: World, margin: float) -> None:
    blocks = simulate(world, runs=600, blocks=150, size=20, seed=41)
    assert_promise(alarms(blocks, margin, 40.0), 40.0)


def test_counting_each_pair_twice_breaks_the_promise() -> None:
    blocks = simulate(boundary(0.2, 1.0), runs=300, blocks=150, size=20, seed=42)
    total = alarms(2 * blocks, 0.2, 40.0).sum(axis=0)
    assert total.mean() > 150 / 40 + 5 * total.std() / math.sqrt(300)


def test_a_late_change_is_found_and_dated() -> None:
    before = simulate(boundary(0.0, 0.04), runs=200, blocks=60, size=20, seed=43)
    after = simulate(boundary(0.25, 0.3), runs=200, blocks=25, size=20, seed=44)
    state, found = detector.fresh((200,)), np.full(200, -1)
    dated = np.full(200, -1)
    for number, counts in enumerate(np.concatenate([before, after])):
        state = detector.update(state, YES_NO, counts, 0.02, number)
        new = (detector.log_value(state) >= math.log(50_000)) & (found < 0)
        found, dated = np.where(new, number, found), np.where(new, detector.change_start(state), dated)
    assert (found >= 60).all()
    assert np.median(found) <= 66
    assert np.percentile(np.abs(dated - 60), 90) <= 3


def day(rng: np.random.Generator, hours: int, runs: int) -> np.ndarray:
    """Yes counts (hours, runs) of 500 units an hour at 5 %, swinging by 30 % over the day."""
    rate = 0.05 * (1 + 0.3 * np.sin(np.arange(hours) * math.tau / 24))
    return rng.binomial(500, rate[:, None], size=(hours, runs))


def test_the_widened_bound_outlasts_a_daily_cycle_and_the_bare_mean_does_not() -> None:
    rng = np.random.default_rng(45)
    runs = 20
    past, live = day(rng, 72, runs), day(rng, 96, runs)
    wide = [rate_bound(np.stack([past[:, r], np.full(72, 500)], -1)).bound for r in range(runs)]
    rates = {"wide": np.array(wide, float), "bare": past.sum(axis=0) / (72 * 500)}
    share = {}
    for name, bound in rates.items():
        each = levels.stacked([levels.known_rate(float(rate), 96 * 500, 0.05, odds=(1.8,)) for rate in bound])
        state, fired = cusum.fresh(each, (runs,)), np.zeros(runs, bool)
        for hour, yes in enumerate(live):
            state = cusum.update(each, state, yes, np.full(runs, 500), hour)
            fired |= cusum.alarmed(each, state)
        share[name] = fired.mean()
    assert share["wide"] <= most(runs, 0.05) / runs
    assert share["bare"] > 0.5


def test_a_baseline_bound_is_too_low_at_most_at_its_level() -> None:
    rng = np.random.default_rng(46)
    rate = rng.uniform(0.01, 0.08, 48)
    low = 0
    for yes in rng.binomial(120, rate, size=(400, 48)):
        worst = rate_bound(np.stack([yes, np.full(48, 120)], -1)).worst
        low += worst is not None and worst < rate.max()
    assert low <= most(400, 0.01)
