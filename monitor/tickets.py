"""Evidence against the past: live units against the period before the deploy, or against a rate known to be fine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.evidence import estimated, levels
from monitor.evidence.baseline import RateBound, rate_bound
from monitor.evidence.budget import ErrorNumbers
from monitor.evidence.cusum import alarmed, fold, leading
from monitor.evidence.levels import Bank
from monitor.evidence.onset import Onset, onset
from monitor.plan import BudgetRule

_HOUR = 3_600_000
STEP = 0.2
"""A coarser lattice than need be: levels are placed four times as fast, for a few hundredths of the delay."""

LEAST_UNITS = 1_000
"""The shortest horizon a promise is made for."""

HIGHEST = 0.9
"""A bound above this leaves no rise to notice."""

NO_PAST = "no period before the deploy"
NO_ROOM = "the rate is too high already for a rise to be noticed"
NO_FALL = "the rate is too low already for a fall to be noticed"


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


@dataclass(frozen=True, slots=True)
class Null:
    """What a live rate is held against: at most the bound, or, with `yes` given, the unknown rate of the baseline
    that had so many yes among its units."""

    bound: RateBound
    yes: int | None = None
    fall: bool = False

    @property
    def rate(self) -> float:
        """The bound, rounded up a little, so that few detectors need levels of their own."""
        return min(_rounded(self.bound.bound or 1.0, 1.02), 1.0 - 1e-6)

    def laid_out(self) -> Bank:
        """The detector before its levels are placed."""
        if self.yes is None:
            return levels.laid_out(self.rate, step=STEP)
        return estimated.laid_out(self.yes, self.bound.units)

    def placed(self, horizon: int, alpha: float) -> Bank:
        """The detector with its levels. ValueError where there are none that keep the promise."""
        if self.yes is None:
            return levels.known_rate(self.rate, horizon, alpha, step=STEP)
        return estimated.averaged(self.yes, self.bound.units, horizon, alpha)

    @property
    def reason(self) -> str:
        """Why nothing can be watched, or nothing."""
        if self.bound.bound is None:
            return self.bound.reason
        room = levels.HIGHEST / 1.02 if self.fall else HIGHEST
        return "" if self.bound.bound <= room else NO_FALL if self.fall else NO_ROOM


def by_hour(tables: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], width: int) -> NDArray[np.int64]:
    """Yes and units by hour, (H, 2) in time order, from each variant's buckets (T,) and counts (T, 2)."""
    if not tables:
        return np.zeros((0, 2), np.int64)
    hours, rows = np.unique(np.concatenate([buckets * width // _HOUR for buckets, _ in tables]), return_inverse=True)
    found = np.zeros((len(hours), 2), np.int64)
    np.add.at(found, rows, np.concatenate([counts for _, counts in tables]))
    return found


def null(hours: NDArray[np.int64], rule: BudgetRule, *, known: float | None = None, fall: bool = False) -> Null:
    """What the plan holds a live rate against: a rate it knows, the baseline's own counts, or a widened bound.

    With a known rate, `hours` only say at what pace units come.
    """
    if known is not None:
        seen = hours[:, 1] > 0
        return Null(RateBound(known, known, int(seen.sum()), int(hours[:, 1].sum()), ""))
    if rule.baseline == "estimated":
        return Null(rate_bound(hours, swing=0.0), int(hours[:, 0].sum()), fall)
    return Null(rate_bound(hours, swing=rule.swing, fall=fall), None, fall)


def detect(
    table: NDArray[np.int64], buckets: NDArray[np.int64], against: Null, numbers: ErrorNumbers
) -> RateAlarm | str | None:
    """The alarm over all blocks (T, 2) of yes and units, if the detector stands at one; why it cannot watch, as text.

    Its promise is held for as many units as the baseline's pace brings in the budget's time: twice the traffic, twice
    the false alarms. The horizon is rounded up a little, so that few detectors need levels of their own.
    """
    if against.reason:
        return against.reason
    alpha, seconds = numbers.ticket_promise
    horizon = _rounded(seconds / 3600.0 * max(against.bound.units, 1) / max(against.bound.hours, 1), 1.25)
    yes, units = table[:, 0], table[:, 1]
    state = fold(against.laid_out(), yes, units, buckets)
    if not state.score.any():  # as almost always: no level is that low, so none has to be placed
        return None
    promised = max(math.ceil(horizon), LEAST_UNITS)
    try:
        bank = against.placed(promised, alpha)
    except ValueError as error:
        return str(error)
    if not alarmed(bank, state):
        return None
    score, level, start = leading(bank, state)
    recent = units[::-1].cumsum()[::-1] <= promised
    recent[-1] = True
    span = onset(yes[recent], units[recent], buckets[recent], against.rate, promised)
    total = int(units.sum())
    return RateAlarm(
        float(score), float(level), int(yes.sum()) / total, against.bound.bound or 1.0, total, int(start), span
    )


def _rounded(value: float, factor: float) -> float:
    """The next power of the factor at or above the value."""
    return float(factor ** math.ceil(math.log(value) / math.log(factor) - 1e-9))
