"""Live rates against the period before the deploy: what raises a ticket, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.evidence.baseline import RateBound
from monitor.evidence.budget import ErrorNumbers, spend
from monitor.model import Definition
from monitor.plan import BudgetRule
from monitor.series import Series
from monitor.tickets import baseline, detect

SIGNAL = Definition(signal="empty", family="degeneration", cells=("fine", "empty"), yes=("empty",), no=("fine",))
MINUTE, HOURS = 60_000, 48


def numbers(detectors: int = 40) -> ErrorNumbers:
    return spend(BudgetRule(tickets="1 per month"), checks=1, tickets=detectors)


def series(rate: float | np.ndarray, minutes: int, first: int = 0, seed: int = 1) -> Series:
    """Thirty units a minute at this rate."""
    yes = np.random.default_rng(seed).binomial(30, rate, minutes)
    return Series(first + np.arange(minutes), np.zeros(minutes, np.int64), np.stack([30 - yes, yes], axis=-1))


def bound(rate: float = 0.02) -> RateBound:
    return baseline(SIGNAL, [series(rate, 60 * HOURS)], 60 * HOURS, MINUTE, None)


def test_a_rate_far_above_the_past_is_a_ticket_with_its_beginning() -> None:
    live = series(np.repeat([0.02, 0.15], 300), 600, first=60 * HOURS, seed=2)
    alarm = detect(SIGNAL, live, bound(), numbers())
    assert alarm is not None
    assert alarm.score >= alarm.level > 0
    assert abs(alarm.start - (60 * HOURS + 300)) <= 5
    assert alarm.onset.earliest <= 60 * HOURS + 300 <= alarm.onset.latest <= 60 * HOURS + 320
    assert alarm.units == 18_000


def test_a_rate_as_in_the_past_or_a_little_above_is_none() -> None:
    for rate in (0.02, 0.028):
        assert detect(SIGNAL, series(rate, 3_000, first=60 * HOURS, seed=3), bound(), numbers()) is None


def test_more_detectors_ask_for_more() -> None:
    live = series(0.3, 120, seed=4)
    few, many = (detect(SIGNAL, live, bound(), numbers(n)) for n in (1, 4_000))
    assert few is not None
    assert many is not None
    assert few.level < many.level


def test_a_ticket_resolves_once_the_rate_has_fallen_back_for_long_enough() -> None:
    fallen = series(np.repeat([0.15, 0.01], [60, 3_000]), 3_060, seed=5)
    assert detect(SIGNAL, Series(fallen.buckets[:60], fallen.levels[:60], fallen.counts[:60]), bound(), numbers())
    assert detect(SIGNAL, fallen, bound(), numbers()) is None


@pytest.mark.parametrize("given", [bound(0.75), baseline(SIGNAL, [series(0.02, 60)], 60, MINUTE, None)])
def test_without_a_bound_that_leaves_room_there_is_no_ticket(given: RateBound) -> None:
    assert detect(SIGNAL, series(0.99, 600, seed=6), given, numbers()) is None
