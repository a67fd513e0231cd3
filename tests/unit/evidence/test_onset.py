"""When a change began: around the truth, never after the alarm, and narrow where the change is large."""

from __future__ import annotations

import numpy as np

from monitor.evidence import cusum, levels
from monitor.evidence.onset import onset

UNITS = np.full(80, 50)


def found(rates: list[float], seed: int = 1):  # type: ignore[no-untyped-def]
    yes = np.random.default_rng(seed).binomial(50, np.repeat(rates, 40))
    return onset(yes, UNITS, np.arange(100, 180), 0.03, 10_000)


def test_the_interval_lies_around_the_change() -> None:
    span = found([0.03, 0.3])
    assert span.earliest <= 140 <= span.latest
    assert span.latest - span.earliest <= 25, "to rule out a rise by half at 3 % takes about a thousand units"


def test_a_smaller_change_is_dated_less_exactly() -> None:
    small, large = found([0.03, 0.07], seed=2), found([0.03, 0.4], seed=2)
    assert small.latest > large.latest >= 140
    assert small.earliest <= 140


def test_a_rate_that_was_always_high_began_at_the_first_block() -> None:
    assert found([0.3, 0.3]).earliest == 100


def test_without_an_alarm_of_its_own_the_last_block_is_the_latest() -> None:
    assert found([0.03, 0.03]).latest == 179


def test_the_first_alarm_is_the_first_block_at_which_a_fold_stands_at_a_level() -> None:
    bank = levels.known_rate(0.03, 10_000, 0.05)
    yes = np.random.default_rng(3).binomial(50, np.repeat([0.03, 0.12], 40))
    place = cusum.first_alarm(int(bank.every), bank.up, bank.down, bank.level, yes, UNITS)
    upto = [bool(cusum.alarmed(bank, cusum.fold(bank, yes[:n], UNITS[:n], np.arange(n)))) for n in range(1, 81)]
    assert place == upto.index(True)
    assert cusum.first_alarm(int(bank.every), bank.up, bank.down, bank.level, 0 * yes, UNITS) == -1
