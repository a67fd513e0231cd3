"""The forecast against simple cases and against the evidence it forecasts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.evidence.bets import SCORE_GRID, YES_NO, log_all_clear, log_evidence
from monitor.evidence.needs import needs

FAIL, CLEAR = math.log(1000), math.log(20)


def test_a_quiet_build_heads_for_a_pass() -> None:
    need = needs(YES_NO, (1, 148, 1), 0.02, FAIL, CLEAR, pairs_per_second=0.1)
    assert need.towards == "pass"
    assert need.seconds == pytest.approx(need.pairs * 10)
    path = np.array([1.5, 148.0, 1.5]) / 151
    sums = np.array([1, 148, 1])
    assert log_all_clear(YES_NO, sums + need.pairs * path, 0.02) >= CLEAR
    assert log_all_clear(YES_NO, sums + 0.97 * need.pairs * path, 0.02) < CLEAR


def test_a_harmful_build_heads_for_a_fail() -> None:
    need = needs(YES_NO, (1, 40, 6), 0.02, FAIL, CLEAR)
    assert need.towards == "fail"
    assert need.seconds is None
    assert 20 < need.pairs < 400


def test_before_the_first_pair_it_is_a_planning_figure() -> None:
    need = needs(YES_NO, (0, 0, 0), 0.02, FAIL, CLEAR)
    assert need.towards == "pass"
    assert 700 < need.pairs < 1000


def test_unseen_outcomes_are_not_held_to_be_impossible() -> None:
    few, many = (needs(YES_NO, (0, n, 0), 0.02, FAIL, CLEAR) for n in (50, 200))
    assert few.pairs > 0
    assert many.pairs < few.pairs


def test_at_the_margin_it_is_never() -> None:
    """With the halves added the mean is 20 of 100, the tolerance itself."""
    assert needs(YES_NO, (30, 19, 50), 0.2, FAIL, CLEAR) is None


def test_an_evidence_already_there_needs_nothing() -> None:
    assert needs(YES_NO, (0, 10, 40), 0.05, FAIL, CLEAR).pairs == 0


def test_scores_and_weights_are_forecast_too() -> None:
    counts = np.zeros(33, np.int64)
    counts[[14, 16, 18]] = (40, 100, 42)
    assert needs(SCORE_GRID, counts, 0.05, FAIL, CLEAR).towards == "pass"
    weighted = needs(YES_NO * 2, (0, 9, 9, 0, 20, 0), 0.2, FAIL, CLEAR, weights=(0.1,) * 3 + (1.0,) * 3)
    assert weighted.towards == "pass"


def test_the_forecast_meets_what_then_happens_within_a_factor_of_two() -> None:
    rng = np.random.default_rng(7)
    shares = np.array([0.01, 0.91, 0.08])
    start = rng.multinomial(60, shares)
    need = needs(YES_NO, start, 0.02, FAIL, CLEAR)
    waits = []
    for _ in range(40):
        sums = start + rng.multinomial(1, shares, size=2000).cumsum(axis=0)
        waits.append(int(np.argmax(log_evidence(YES_NO, sums, 0.02) >= FAIL)))
    assert 0.5 < np.median(waits) / need.pairs < 2.0


def test_a_tolerance_of_nought_is_forecast_too() -> None:
    assert needs(YES_NO, (0, 40, 6), 0.0, FAIL, CLEAR).towards == "fail"
    assert needs(YES_NO, (0, 0, 0), 0.0, FAIL, CLEAR) is None
