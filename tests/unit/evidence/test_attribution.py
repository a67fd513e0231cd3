"""Contributions add up, are named only beyond doubt, and have no share of nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.errors import IntegrityError
from monitor.evidence.attribution import MORE_PAIRS, NO_DEPLOYED, NO_REPLAYS_BEFORE, Period, attribute

SAME = Period(
    logged=np.array([9_500, 500]),
    reference=np.array([9_500, 500]),
    quantization=np.array([10, 9_980, 10]),
    serving=np.array([[10, 7_980, 10], [10, 1_980, 10]]),
    load=np.array([80_000, 20_000]),
)


def test_the_four_terms_add_up_to_the_change() -> None:
    now = Period(
        logged=np.array([8_000, 2_000]),
        reference=np.array([9_000, 1_000]),
        quantization=np.array([100, 9_300, 600]),
        serving=np.array([[0, 5_000, 0], [0, 4_500, 500]]),
        load=np.array([50_000, 50_000]),
    )
    found = attribute(SAME, now, 0.01, 0.05)
    assert sum(term.estimate or 0.0 for term in found.contributions.values()) == pytest.approx(0.15)
    assert found.total.estimate == pytest.approx(0.15)
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert found.contributions["load"].estimate == pytest.approx(0.3 * 0.1)


def test_a_mix_shift_with_constant_rates_is_traffic() -> None:
    """Simpson's trap: the hard slice grows, each slice keeps its rate, so the reference moves as the users do."""
    moved = replace(SAME, logged=np.array([8_800, 1_200]), reference=np.array([8_800, 1_200]))
    found = attribute(SAME, moved, 0.01, 0.05)
    assert found.cause == "traffic"
    assert found.shares["traffic"] == pytest.approx(1.0)


def test_more_load_on_a_service_that_is_the_same_is_load() -> None:
    strained = replace(SAME, serving=np.array([[0, 8_000, 0], [0, 1_600, 400]]))
    busy = replace(strained, logged=np.array([9_500 - 1_000, 1_500]), load=np.array([30_000, 70_000]))
    found = attribute(strained, busy, 0.01, 0.05)
    assert found.cause == "load"
    assert found.contributions["serving"].estimate == pytest.approx(0.0)


def test_no_share_is_given_of_a_change_that_may_be_none() -> None:
    found = attribute(SAME, SAME, 0.01, 0.05)
    assert (found.cause, found.shares) == ("undetermined", {})
    assert found.missing == (MORE_PAIRS,)


def test_what_is_missing_is_named_and_the_rest_stands() -> None:
    nothing = np.zeros(2, int)
    blind = replace(SAME, quantization=np.zeros(3, int), reference=nothing)
    found = attribute(blind, replace(SAME, logged=np.array([8_000, 2_000])), 0.01, 0.05)
    assert set(found.missing) == {NO_DEPLOYED, NO_REPLAYS_BEFORE}
    assert found.shares == {}
    assert found.contributions["serving"].estimate is not None


def test_counts_that_do_not_fit_cannot_be() -> None:
    with pytest.raises(IntegrityError):
        attribute(SAME, replace(SAME, load=np.array([1, 2, 3])), 0.01, 0.05)
    with pytest.raises(IntegrityError):
        attribute(SAME, replace(SAME, reference=np.array([-1, 2])), 0.01, 0.05)
