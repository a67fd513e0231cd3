"""Live rates against the period before the deploy: what is news, what is not, and what cannot be watched."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.evidence.baseline import TOO_SHORT, RateBound
from monitor.evidence.budget import ErrorNumbers, spend
from monitor.evidence.estimated import NO_BASELINE
from monitor.plan import BudgetRule
from monitor.tickets import NO_FALL, NO_ROOM, Null, RateAlarm, by_hour, detect, null

MINUTE, HOURS = 60_000, 48
FIRST = 60 * HOURS
Table = NDArray[np.int64]
RULE = BudgetRule(tickets="1 per month")


def numbers(detectors: int = 40) -> ErrorNumbers:
    return spend(RULE, checks=1, tickets=detectors)


def table(rate: float | NDArray[np.float64], minutes: int, seed: int = 1, units: int = 30) -> Table:
    """So many units a minute at this rate."""
    yes = np.random.default_rng(seed).binomial(units, rate, minutes)
    return np.stack([yes, np.full(minutes, units)], axis=-1)


def past(rate: float = 0.02, minutes: int = FIRST, rule: BudgetRule = RULE, units: int = 30) -> Null:
    return null(by_hour([(np.arange(minutes), table(rate, minutes, units=units))], MINUTE), rule)


def look(live: Table, against: Null, given: ErrorNumbers | None = None) -> RateAlarm | str | None:
    return detect(live, FIRST + np.arange(len(live)), against, given or numbers())


def test_a_rate_far_above_the_past_is_news_with_its_beginning() -> None:
    alarm = look(table(np.repeat([0.02, 0.15], 300), 600, seed=2), past())
    assert isinstance(alarm, RateAlarm)
    assert alarm.score >= alarm.level > 0
    assert abs(alarm.start - (FIRST + 300)) <= 5
    assert alarm.onset.earliest <= FIRST + 300 <= alarm.onset.latest <= FIRST + 320
    assert alarm.units == 18_000


def test_a_rate_as_in_the_past_or_a_little_above_is_none() -> None:
    for rate in (0.02, 0.028):
        assert look(table(rate, 3_000, seed=3), past()) is None


def test_more_detectors_ask_for_more() -> None:
    few, many = (look(table(0.3, 120, seed=4), past(), numbers(n)) for n in (1, 4_000))
    assert isinstance(few, RateAlarm)
    assert isinstance(many, RateAlarm)
    assert few.level < many.level


def test_a_ticket_resolves_once_the_rate_has_fallen_back_for_long_enough() -> None:
    fallen = table(np.repeat([0.15, 0.01], [60, 3_000]), 3_060, seed=5)
    assert isinstance(look(fallen[:60], past()), RateAlarm)
    assert look(fallen, past()) is None


@pytest.mark.parametrize(
    ("against", "reason"),
    [
        (past(0.75), "baseline too high to notice a rise"),
        (Null(RateBound(0.93, 0.6, 48, 9_000, "")), NO_ROOM),
        (Null(RateBound(0.97, 0.9, 48, 9_000, ""), fall=True), NO_FALL),
        (past(minutes=60), TOO_SHORT),
        (Null(RateBound(0.01, 0.01, 1, 500, ""), yes=0), NO_BASELINE),
    ],
)
def test_what_cannot_be_watched_says_why_and_never_raises(against: Null, reason: str) -> None:
    assert look(table(0.99, 600, seed=6), against) == reason


@pytest.mark.parametrize("rate", [1e-7, 1e-4, 0.3, 0.9])
@pytest.mark.parametrize("pace", [1, 10**9])
def test_no_rate_and_no_pace_of_a_baseline_stops_the_evaluator(rate: float, pace: int) -> None:
    """A rate that high or that rare, on that much traffic, had no level or took minutes to find one."""
    against = Null(RateBound(rate, rate, 24, 24 * pace, ""))
    assert isinstance(look(table(0.99, 30, seed=7), against, numbers(2_000)), RateAlarm)


def test_a_known_rate_needs_no_period_before_the_deploy() -> None:
    hours = by_hour([(np.arange(60), table(0.05, 60))], MINUTE)
    known = null(hours, RULE, known=0.01)
    assert known.bound.bound == 0.01
    assert isinstance(look(table(0.05, 600, seed=8), known), RateAlarm)
    assert look(table(0.01, 3_000, seed=8), known) is None


def test_an_estimated_baseline_finds_what_a_widened_one_tolerates() -> None:
    """Its null is the rate of the baseline itself; the widened bound lies half above the worst hour."""
    live = table(0.035, 6_000, seed=9)
    assert isinstance(look(live, past(rule=BudgetRule(baseline="estimated"))), RateAlarm)
    assert look(live, past()) is None
    assert look(table(0.02, 6_000, seed=10), past(rule=BudgetRule(baseline="estimated"))) is None


def test_a_fall_is_held_against_as_wide_a_swing_as_a_rise() -> None:
    hours = by_hour([(np.arange(FIRST), table(0.7, FIRST))], MINUTE)
    fell = null(hours, RULE, fall=True)
    assert fell.bound.bound is not None
    assert 1 - fell.bound.bound == pytest.approx((1 - (fell.bound.worst or 0.0)) / 1.5)
    assert isinstance(look(table(0.9, 600, seed=11), fell), RateAlarm)
    assert look(table(0.75, 600, seed=11), fell) is None
