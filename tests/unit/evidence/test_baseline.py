"""Bounds from a baseline, and its honest refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from monitor.errors import IntegrityError
from monitor.evidence.baseline import CONTAMINATED, TOO_HIGH, TOO_SHORT, BaselineRule, kl_upper, rate_bound


@pytest.mark.parametrize(("yes", "units"), [(0, 50), (3, 100), (50, 100), (99, 100), (100, 100)])
def test_the_bound_is_at_or_above_clopper_pearson(yes: int, units: int) -> None:
    exact = 1.0 if yes == units else float(beta.ppf(1 - 0.01, yes + 1, units - yes))
    upper = kl_upper(yes, units, 0.01)
    assert exact <= upper <= 1.0
    assert upper - exact < 0.05


def test_nought_yes_has_a_closed_form() -> None:
    assert kl_upper(0, 200, 0.05) == pytest.approx(1 - 0.05 ** (1 / 200), rel=1e-9)
    assert kl_upper(0, 0, 0.05) == 1.0


def test_the_exact_chance_of_a_bound_below_the_truth_is_at_most_the_level() -> None:
    for rate in (0.01, 0.1, 0.6):
        low = [k for k in range(121) if kl_upper(k, 120, 0.05) < rate]
        assert binom.pmf(low, 120, rate).sum() <= 0.05


def test_by_default_half_as_much_again_as_the_worst_hour() -> None:
    hours = np.array([[5, 1000]] * 23 + [[50, 1000]])
    answer = rate_bound(hours)
    assert answer.worst == pytest.approx(kl_upper(50, 1000, 0.01 / 24))
    assert answer.bound == pytest.approx(1.5 * answer.worst)
    assert (answer.hours, answer.units, answer.reason) == (24, 24_000, "")


def test_a_declared_swing_widens_the_pooled_rate() -> None:
    answer = rate_bound([[5, 1000]] * 24, swing=0.3)
    assert answer.bound == pytest.approx(1.3 * kl_upper(120, 24_000, 0.01))


def test_thin_hours_are_merged_until_they_can_speak() -> None:
    """One failure in an hour of one request must not make every later rate acceptable."""
    hours = [[0, 30]] * 23 + [[1, 1]]
    answer = rate_bound(hours, rule=BaselineRule(units=100))
    assert answer.worst < 0.15


@pytest.mark.parametrize(
    ("hours", "reason"),
    [
        ([[1, 100]] * 23, TOO_SHORT),
        ([[0, 0]] * 40 + [[1, 1000]], TOO_SHORT),
        ([[0, 3]] * 48, TOO_SHORT),
        ([], TOO_SHORT),
        ([[80, 100]] * 24, TOO_HIGH),
    ],
    ids=["too few hours", "empty hours do not count", "too few units", "nothing", "no room above"],
)
def test_no_bound_is_said_with_its_reason(hours: list[list[int]], reason: str) -> None:
    answer = rate_bound(hours)
    assert answer.bound is None
    assert answer.reason == reason


def test_more_yes_than_units_cannot_be() -> None:
    with pytest.raises(IntegrityError):
        rate_bound([[3, 2]])


def test_a_short_baseline_gives_a_wider_bound() -> None:
    assert rate_bound([[5, 100]] * 24).bound > rate_bound([[50, 1000]] * 24).bound
    assert math.isfinite(rate_bound([[50, 1000]] * 24).bound)


def test_one_bad_hour_is_said_and_the_bound_still_stands_above_it() -> None:
    quiet = [[10, 1000]] * 30
    bad = rate_bound([*quiet, [200, 1000]])
    assert (bad.reason, bad.note) == ("", CONTAMINATED)
    assert bad.bound is not None
    assert bad.bound > 1.5 * 0.2
    assert rate_bound(quiet).note == ""
    assert rate_bound([*quiet, [14, 1000]]).note == "", "an hour somewhat above the others is a cycle, and no fault"
    assert rate_bound([*quiet, [200, 1000]], swing=0.3).note == "", "a declared swing is the plan's own word"


def test_a_fall_is_widened_as_a_rise_is() -> None:
    fell = rate_bound([[400, 1000]] * 30, swing=0.5, fall=True)
    assert fell.bound == pytest.approx(1 - (1 - (fell.worst or 0)) / 1.5)
