"""Live rates: false alarms within the horizon stay under the promise, and each condition broken turns it red."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.evidence import cusum, estimated, levels
from monitor.evidence.levels import Bank
from monitor.evidence.onset import onset
from tests.statistical.nulls import Ints, most

RUNS, UNITS, ALPHA, RATE = 1000, 3000, 0.1, 0.03
BANK = levels.known_rate(RATE, UNITS, ALPHA)


def alarms(bank: Bank, yes: Ints, units: Ints | int) -> int:
    """Runs that ever alarmed, for yes counts (T, R) of blocks of so many units."""
    sizes = np.broadcast_to(np.asarray(units, np.int64), yes.shape)
    state, ever = cusum.fresh(bank, yes.shape[1:]), np.zeros(yes.shape[1:], bool)
    for number, (hits, total) in enumerate(zip(yes, sizes, strict=True)):
        state = cusum.update(bank, state, hits, total, number)
        ever |= cusum.alarmed(bank, state)
    return int(ever.sum())


def steady(seed: int, rate: float = RATE, runs: int = RUNS) -> Ints:
    return np.random.default_rng(seed).binomial(1, rate, (UNITS, runs)).astype(np.int64)


def test_single_units_at_the_rate_alarm_as_promised_and_hardly_less() -> None:
    """The law is exact: simulation may show its slack, and there is little."""
    found = alarms(BANK, steady(71), 1)
    assert found <= most(RUNS, ALPHA)
    assert found >= RUNS * ALPHA * 0.55


@pytest.mark.parametrize("seed", [72, 73])
def test_blocks_of_any_sizes_keep_the_promise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = np.minimum(400, rng.pareto(0.9, 200).astype(int) * 5 + 1)
    sizes = sizes[np.cumsum(sizes) <= UNITS]
    yes = rng.binomial(sizes[:, None], RATE, (sizes.size, RUNS))
    assert alarms(BANK, yes, sizes[:, None]) <= most(RUNS, ALPHA)


def test_rates_that_move_below_the_bound_keep_the_promise() -> None:
    """Within the null anything may depend on anything: here the rate leaps to the bound whenever a score is high."""
    rng, state = np.random.default_rng(74), cusum.fresh(BANK, (RUNS,))
    ever = np.zeros(RUNS, bool)
    for t in range(UNITS):
        near = (state.score > BANK.level / 3).any(axis=1)
        state = cusum.update(BANK, state, rng.random(RUNS) < np.where(near, RATE, RATE / 3), np.ones(RUNS, int), t)
        ever |= cusum.alarmed(BANK, state)
    assert ever.sum() <= most(RUNS, ALPHA)


def test_counting_every_turn_of_a_conversation_breaks_the_promise() -> None:
    failed = np.random.default_rng(75).binomial(1, RATE, (UNITS // 6, RUNS))
    assert alarms(BANK, failed, 1) <= most(RUNS, ALPHA)
    assert alarms(BANK, 6 * failed, 6) > 3 * most(RUNS, ALPHA)


def test_reading_buckets_before_they_are_sealed_breaks_the_promise() -> None:
    """Failures are reported at once, successes four blocks later."""
    yes = np.random.default_rng(76).binomial(50, RATE, (UNITS // 50, RUNS))
    late = np.concatenate([np.zeros((4, RUNS), int), (50 - yes)[:-4]])
    assert alarms(BANK, yes, 50) <= most(RUNS, ALPHA)
    assert alarms(BANK, yes, yes + late) > 2 * most(RUNS, ALPHA)


def test_an_estimated_baseline_keeps_the_promise_and_its_estimate_for_the_rate_breaks_it() -> None:
    rng = np.random.default_rng(77)
    runs, baseline = 600, 400
    past = rng.binomial(baseline, RATE, runs)
    live = rng.binomial(1, RATE, (UNITS, runs))
    banks = {
        "averaged": lambda k: estimated.averaged(k, baseline, UNITS, ALPHA),
        "every rate": lambda k: estimated.worst_case(k, baseline, UNITS, ALPHA),
        "plug-in": lambda k: levels.known_rate(max(k, 1) / baseline, UNITS, ALPHA, odds=(2.4,)),
    }
    found = {name: alarms(levels.stacked([make(k) for k in past.tolist()]), live, 1) for name, make in banks.items()}
    assert found["averaged"] <= most(runs, ALPHA)
    assert found["every rate"] <= most(runs, ALPHA)
    assert found["plug-in"] > most(runs, ALPHA)


def test_blocks_rewritten_after_a_look_at_them_break_the_promise() -> None:
    """Coarsening may merge stored blocks; choosing where to cut by what came out is no longer a fixed clock."""
    yes = np.random.default_rng(78).binomial(1, RATE, (UNITS, RUNS))
    honest = alarms(BANK, yes, 1)
    picked = np.stack([np.sort(block, axis=0)[::-1] for block in yes.reshape(60, 50, RUNS)]).reshape(UNITS, RUNS)
    assert honest <= most(RUNS, ALPHA)
    assert alarms(BANK, picked, 1) > most(RUNS, ALPHA)


@pytest.mark.parametrize(("after", "change"), [(0.046, 20), (0.08, 30), (0.3, 5)])
def test_the_interval_of_a_change_holds_its_block(after: float, change: int) -> None:
    """Blocks of fifty; read at the alarm, which must come at or after the change to say anything about it."""
    rng, runs, alpha, wrong = np.random.default_rng(80), 400, 0.1, 0
    rates = np.where(np.arange(60) < change, RATE, after)[:, None]
    yes, sizes = rng.binomial(50, rates, (60, runs)), np.full(60, 50)
    for run in range(runs):
        own = np.ascontiguousarray(yes[:, run])
        at = cusum.first_alarm(int(BANK.every), BANK.up, BANK.down, BANK.level, own, sizes)
        if at < change:
            continue
        span = onset(own[: at + 1], sizes[: at + 1], np.arange(at + 1), RATE, UNITS, alpha=alpha)
        wrong += not span.earliest <= change <= span.latest
    assert wrong <= most(runs, 2 * alpha)


def test_starting_anew_after_an_alarm_keeps_the_expected_number() -> None:
    yes, state, total = steady(79), cusum.fresh(BANK, (RUNS,)), np.zeros(RUNS)
    for t, hits in enumerate(yes):
        state = cusum.update(BANK, state, hits, np.ones(RUNS, int), t)
        hit = cusum.alarmed(BANK, state)
        total, state = total + hit, cusum.restart(state, hit)
    assert total.mean() <= ALPHA / (1 - ALPHA) + 3.1 * total.std() / np.sqrt(RUNS)
