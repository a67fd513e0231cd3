"""The law of the run length against every sequence there is, and its bounds' directions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from monitor.evidence.runlength import Part, alone, false_alarm, yes_chances


def enumerated(parts: Sequence[Part], every: int, rate: float, units: int) -> float:
    """The chance that any part alarms, over all sequences of units: the definition, unit by unit."""
    total = 0.0
    for sequence in product((0, 1), repeat=units):
        scores, alarmed = [0] * len(parts), False
        for t, x in enumerate(sequence, 1):
            scores = [score + up * x for score, (up, _, _) in zip(scores, parts, strict=True)]
            alarmed |= any(score >= level for score, (_, _, level) in zip(scores, parts, strict=True))
            if t % every == 0:
                scores = [max(0, score - down) for score, (_, down, _) in zip(scores, parts, strict=True)]
        if alarmed:
            total += float(np.prod([rate if x else 1 - rate for x in sequence]))
    return total


@pytest.mark.parametrize(("part", "every"), [((3, 1, 8), 2), ((2, 1, 5), 1), ((4, 3, 9), 3)])
def test_one_component_is_exact(part: Part, every: int) -> None:
    chances = yes_chances(every, 0.3)
    assert alone(part, chances, 12 // every) == pytest.approx(enumerated([part], every, 0.3, 12), rel=1e-12)


def test_two_components_together_are_exact() -> None:
    parts = [(3, 1, 9), (5, 3, 11)]
    assert false_alarm(parts, 2, 0.25, 14) == pytest.approx(enumerated(parts, 2, 0.25, 14), rel=1e-12)


def test_three_components_are_bounded_from_above_and_closely() -> None:
    parts = [(3, 1, 9), (4, 2, 10), (5, 3, 11)]
    exact, bound = enumerated(parts, 2, 0.25, 14), false_alarm(parts, 2, 0.25, 14)
    assert exact <= bound <= 1.05 * exact


def test_a_horizon_within_a_tick_counts_as_the_whole_tick() -> None:
    part = (3, 1, 9)
    assert false_alarm([part], 4, 0.2, 9) == false_alarm([part], 4, 0.2, 12)


def test_chances_are_the_binomials() -> None:
    chances = yes_chances(40, 0.02)
    assert chances.sum() == pytest.approx(1.0, abs=1e-14)
    assert chances[:-1] == pytest.approx(binom.pmf(np.arange(chances.size - 1), 40, 0.02), rel=1e-10)


@pytest.mark.parametrize(("every", "rate"), [(4_000_000, 1e-7), (200_000, 4e-5), (3, 0.9)])
def test_only_chances_that_matter_are_computed_however_many_units_a_tick_has(every: int, rate: float) -> None:
    chances = yes_chances(every, rate)
    assert chances.size < 100
    assert chances.sum() == pytest.approx(1.0, abs=1e-14)
    assert chances[:-1] == pytest.approx(binom.pmf(np.arange(chances.size - 1), every, rate), rel=1e-8)
    assert chances[-1] >= binom.sf(chances.size - 2, every, rate) - 1e-14


def test_where_two_components_have_too_many_states_the_sum_is_the_bound() -> None:
    parts = [(2, 1, 150), (4, 2, 160)]
    chances = yes_chances(4, 0.11)
    union = sum(alone(part, chances, 250_000) for part in parts)
    assert 0.005 < union < 3
    assert false_alarm(parts, 4, 0.11, 1_000_000) == min(1.0, union)


def test_a_long_horizon_is_cut_on_the_safe_side() -> None:
    """Far ahead, the chain is left for its settled rate: as good as walking every step, and never below it."""
    part, chances = (7, 2, 60), yes_chances(10, 0.02)
    walk = np.zeros(60)
    walk[0] = 1.0
    for _ in range(30_000):
        after = np.zeros(60)
        for k, chance in enumerate(chances):
            at = np.arange(60) + 7 * k
            np.add.at(after, np.maximum(at[at < 60] - 2, 0), walk[at < 60] * chance)
        walk = after
    exact = 1.0 - walk.sum()
    assert exact <= alone(part, chances, 30_000) <= 1.002 * exact


def test_more_units_a_higher_rate_and_a_lower_level_alarm_more() -> None:
    base = false_alarm([(7, 2, 60), (11, 4, 70)], 10, 0.02, 20_000)
    assert false_alarm([(7, 2, 60), (11, 4, 70)], 10, 0.02, 40_000) > base
    assert false_alarm([(7, 2, 60), (11, 4, 70)], 10, 0.021, 20_000) > base
    assert false_alarm([(7, 2, 59), (11, 4, 70)], 10, 0.02, 20_000) > base
