"""Evidence against the past: live rates of a variant's units against the period before its deploy. Tickets only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.evidence.baseline import RateBound, rate_bound
from monitor.evidence.budget import ErrorNumbers
from monitor.evidence.cusum import alarmed, fold, leading
from monitor.evidence.levels import known_rate, laid_out
from monitor.evidence.onset import Onset, onset
from monitor.model import Definition
from monitor.series import Series

_HOUR = 3_600_000
STEP = 0.2
"""A coarser lattice than need be: levels are placed four times as fast, for a few hundredths of the delay."""

LEAST_UNITS = 1_000
"""The shortest horizon a promise is made for."""

HIGHEST = 0.9
"""A bound above this leaves no rise to notice."""


@dataclass(frozen=True, slots=True)
class RateAlarm:
    """A live detector at its level: score and level in nats, the rates, and when the change began."""

    score: float
    level: float
    rate: float
    bound: float
    units: int
    start: int
    onset: Onset


def yes_and_units(definition: Definition, series: Series) -> NDArray[np.int64]:
    """Harmful outcomes and units with an outcome, shape (T, 2); a hindsight signal's units are those served."""
    yes = [definition.cells.index(cell) for cell in definition.yes]
    units = [*yes, *(definition.cells.index(cell) for cell in definition.no)]
    if not definition.no:
        units = [definition.cells.index("served" if "served" in definition.cells else "open")]
    return np.stack([series.counts[:, yes].sum(axis=1), series.counts[:, units].sum(axis=1)], axis=-1)


def baseline(definition: Definition, past: Sequence[Series], first: int, width: int, swing: float | None) -> RateBound:
    """The widened bound from the units of all variants in buckets before `first`, by the hour."""
    hours: dict[int, NDArray[np.int64]] = {}
    for series in past:
        earlier = series.before(first)
        for bucket, row in zip(earlier.buckets.tolist(), yes_and_units(definition, earlier), strict=True):
            hour = bucket * width // _HOUR
            hours[hour] = hours.get(hour, np.zeros(2, np.int64)) + row
    table = [hours[hour] for hour in sorted(hours)]
    return rate_bound(np.array(table, np.int64).reshape(-1, 2), swing=swing)


def detect(definition: Definition, series: Series, bound: RateBound, numbers: ErrorNumbers) -> RateAlarm | None:
    """The alarm over all blocks of a variant's units, if the detector stands at one.

    Its promise is held for as many units as the baseline's pace brings in the budget's time: twice the traffic, twice
    the false alarms. Bound and horizon are rounded up a little, so that few detectors need levels of their own. Above
    a bound of 0.9 there is nothing to alarm about.
    """
    if bound.bound is None or bound.bound > HIGHEST:
        return None
    alpha, seconds = numbers.ticket_promise
    horizon = _rounded(seconds / 3600.0 * bound.units / max(bound.hours, 1), 1.25)
    rate = min(_rounded(bound.bound, 1.02), 1.0 - 1e-6)
    table = yes_and_units(definition, series)
    units = np.maximum(table[:, 1], table[:, 0])
    state = fold(laid_out(rate, step=STEP), table[:, 0], units, series.buckets)
    if not state.score.any():  # as almost always: no level is that low, so none has to be placed
        return None
    promised = max(math.ceil(horizon), LEAST_UNITS)
    bank = known_rate(rate, promised, alpha, step=STEP)
    if not alarmed(bank, state):
        return None
    score, level, start = leading(bank, state)
    yes, total = int(table[:, 0].sum()), int(units.sum())
    recent = units[::-1].cumsum()[::-1] <= promised
    recent[-1] = True
    span = onset(table[recent, 0], units[recent], series.buckets[recent], rate, promised)
    return RateAlarm(float(score), float(level), yes / total, bound.bound, total, int(start), span)


def _rounded(value: float, factor: float) -> float:
    """The next power of the factor at or above the value."""
    return float(factor ** math.ceil(math.log(value) / math.log(factor) - 1e-9))
