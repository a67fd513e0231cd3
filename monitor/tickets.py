"""Evidence against the past: live rates of a variant's units against the period before its deploy. Tickets only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.evidence.baseline import RateBound, rate_bound
from monitor.evidence.detector import change_start, fresh, log_value, update_rate
from monitor.model import Definition
from monitor.series import Series

_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class RateAlarm:
    """What a live detector says: its log value against its level, the rates, and where the change seems to begin."""

    log_value: float
    rate: float
    bound: float
    units: int
    start: int


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


def detect(definition: Definition, series: Series, bound: float) -> RateAlarm | None:
    """The detector over all blocks of a variant's units; None before the first unit with an outcome."""
    state = fresh()
    table = yes_and_units(definition, series)
    for bucket, (yes, units) in zip(series.buckets.tolist(), table.tolist(), strict=True):
        state = update_rate(state, yes, max(units, yes), bound, bucket)
    yes, units = table.sum(axis=0).tolist()
    if units == 0:
        return None
    return RateAlarm(float(log_value(state)), yes / units, bound, units, int(change_start(state)))
