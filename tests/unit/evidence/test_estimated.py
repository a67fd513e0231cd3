"""Levels against an estimated baseline: above those of a known rate, falling to them as the baseline grows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta

from monitor.errors import IntegrityError
from monitor.evidence.estimated import ODDS, _slices, averaged, exact_upper, worst_case
from monitor.evidence.levels import known_rate


def height(yes: int, units: int) -> float:
    bank = averaged(yes, units, 5_000, 0.05)
    return float((bank.level * bank.step)[0])


def test_uncertainty_raises_the_level_and_more_baseline_lowers_it() -> None:
    known = known_rate(0.02, 5_000, 0.05, odds=ODDS, step=0.15)
    heights = [height(20 * n, 1_000 * n) for n in (1, 5, 100)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > 1.3 * heights[-1]
    assert heights[-1] == pytest.approx(float((known.level * known.step)[0]), rel=0.05)


def test_the_exact_upper_bound_is_clopper_and_pearsons() -> None:
    for yes, units, level in ((0, 300, 0.05), (7, 300, 0.01), (100, 5_000, 0.015)):
        assert exact_upper(yes, units, level) == pytest.approx(beta.ppf(1 - level, yes + 1, units - yes), rel=1e-9)
    assert exact_upper(300, 300, 0.05) == 1.0


def test_the_slices_are_an_upper_sum_of_the_posterior() -> None:
    rates, masses, rest = _slices(100.5, 4_900.5)
    assert math.fsum(masses) + rest == pytest.approx(1.0)
    below = np.cumsum(masses)
    assert rates == pytest.approx(beta.ppf(below, 100.5, 4_900.5).tolist(), rel=1e-3)


def test_the_worst_case_is_the_known_rate_at_the_bound() -> None:
    wanted = known_rate(exact_upper(60, 3_000, 0.015), 5_000, 0.035)
    assert np.array_equal(worst_case(60, 3_000, 5_000, 0.05).level, wanted.level)


@pytest.mark.parametrize("make", [averaged, worst_case])
def test_what_is_no_baseline_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(IntegrityError):
        make(301, 300, 5_000, 0.05)
    with pytest.raises(ValueError, match="baseline too short"):
        make(3, 150, 5_000, 0.05)


def test_a_baseline_that_leaves_the_rate_too_open_for_the_promise_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="baseline too short: what its rate may be"):
        averaged(0, 500, 10_000_000, 0.0005)
