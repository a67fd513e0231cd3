"""Bounds are the inverted bets, rounded outward."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from monitor.evidence.bets import RATE, SCORE_GRID, YES_NO, log_all_clear, log_evidence
from monitor.evidence.interval import bounds, interval
from monitor.model import Interval

COUNTS = st.lists(st.integers(0, 300), min_size=3, max_size=3).map(np.array)


def test_bounds_equal_an_independent_root_search() -> None:
    counts = (20, 900, 80)
    lower, upper = bounds(YES_NO, counts, 0.01, 0.05)
    root = brentq(lambda m: float(log_evidence(YES_NO, counts, m)) - math.log(100), -0.9, 0.9, xtol=1e-12)
    other = brentq(lambda m: float(log_all_clear(YES_NO, counts, m)) - math.log(20), -0.9, 0.9, xtol=1e-12)
    assert root - 1e-7 <= lower <= root
    assert other <= upper <= other + 1e-7


@settings(derandomize=True, deadline=None, max_examples=60)
@given(COUNTS, st.floats(-0.5, 0.5))
def test_the_bound_and_the_test_agree(counts: np.ndarray, tolerance: float) -> None:
    lower, upper = bounds(YES_NO, counts, 0.01, 0.05)
    if lower > tolerance:
        assert log_evidence(YES_NO, counts, tolerance) >= math.log(100)
    if lower < tolerance - 1e-7:
        assert log_evidence(YES_NO, counts, tolerance) < math.log(100)
    if upper < tolerance:
        assert log_all_clear(YES_NO, counts, tolerance) >= math.log(20)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(COUNTS.filter(lambda c: c.sum() > 0))
def test_bounds_hold_the_estimate_and_the_range(counts: np.ndarray) -> None:
    answer = interval(YES_NO, counts, 0.05)
    assert -1.0 <= answer.lower <= answer.estimate <= answer.upper <= 1.0


def test_more_of_the_same_narrows() -> None:
    widths = [np.subtract(*bounds(YES_NO, (n, 18 * n, n), 0.05, 0.05)[::-1]) for n in (1, 10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)


def test_a_batch_equals_one_by_one() -> None:
    rng = np.random.default_rng(2)
    table = rng.integers(0, 50, (20, 33))
    lower, upper = bounds(SCORE_GRID, table, 0.02, 0.02)
    alone = [bounds(SCORE_GRID, row, 0.02, 0.02) for row in table]
    assert [float(low) for low, _ in alone] == lower.tolist()
    assert [float(up) for _, up in alone] == upper.tolist()


def test_nothing_is_known_before_the_first_pair() -> None:
    assert interval(YES_NO, (0, 0, 0), 0.05) == Interval(None, None, None)
    lower, upper = bounds(YES_NO, (0, 0, 0), 0.05, 0.05)
    assert (lower, upper) == (-1.0, 1.0)


def test_each_side_may_have_its_own_alpha() -> None:
    counts = (20, 900, 80)
    both, own = interval(YES_NO, counts, 0.1), interval(YES_NO, counts, 0.05, alpha_upper=0.05)
    assert both == own
    assert interval(YES_NO, counts, 0.001, alpha_upper=0.05).lower < own.lower


def test_a_rate_of_nought_has_an_upper_bound_near_three_over_n() -> None:
    answer = interval(RATE, (1000, 0), 0.05, alpha_upper=0.05, low=0.0)
    assert answer.lower == 0.0
    assert 3 / 1000 < answer.upper < 6 / 1000


def test_a_weighted_estimate_is_the_traffics_mean() -> None:
    answer = interval(YES_NO * 2, (0, 70, 30, 0, 90, 0), 0.05, weights=(0.1,) * 3 + (1.0,) * 3)
    assert answer.estimate == pytest.approx(3 / 100)
    assert answer.lower <= 0.03 <= answer.upper
