"""What would make a check decide that does not: more sampling, a wider tolerance, or a coarser slice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from monitor.evidence.rehearsal import Draws
from monitor.forecast.meeting import Meeting
from monitor.forecast.waits import LIMIT, Pace, Wait, median_pairs, sealed_hours

MORE = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
WIDER = (1.5, 2.0, 3.0, 5.0, 10.0)
WIDEST = 0.3
_SURELY = 0.75


@dataclass(frozen=True, slots=True)
class Advice:
    """One change to the plan under which a check is decided, and the hours it then takes (the longer of both ways)."""

    key: str
    value: float | str
    hours: float


def advise(met: Meeting, pace: Pace, stratum: str | None, draws: Draws) -> Iterator[Advice]:
    """The least change of each kind that helps. `stratum` is the check's slice, None for all traffic."""
    yield from _sampled(met, pace, stratum, draws)
    for factor in WIDER:
        tolerance = round(pace.bar.tolerance * factor, 4)
        if tolerance <= WIDEST:
            wider = replace(pace, bar=replace(pace.bar, tolerance=tolerance))
            hours = _hours(median_pairs(met, wider, met.eligible * LIMIT, draws), met, pace)
            if hours is not None:
                yield Advice(f"signals.{met.signal}.tolerance", tolerance, hours)
                return


def _sampled(met: Meeting, pace: Pace, stratum: str | None, draws: Draws) -> Iterator[Advice]:
    """Pairs needed do not depend on the sampling, so they are found once."""
    lowest = min(met.levels)
    shares = [min(1.0, lowest * factor) for factor in MORE if lowest * factor / 2 < 1.0 and lowest < 1.0]
    if not shares:
        return
    pairs = median_pairs(met, pace, _raised(met, shares[-1], stratum).eligible * LIMIT, draws)
    for share in shares:
        hours = _hours(pairs, _raised(met, share, stratum), pace)
        if hours is not None:
            yield Advice("shadow.share" if stratum is None else f"shadow.strata.{stratum}", round(share, 4), hours)
            return


def _hours(pairs: float, met: Meeting, pace: Pace) -> float | None:
    """The hours, None where they come near the limit: what is advised has to help."""
    hours = sealed_hours(pairs / met.eligible, pace)
    return hours if hours is not None and hours <= _SURELY * LIMIT else None


def _raised(met: Meeting, share: float, stratum: str | None) -> Meeting:
    """The same traffic with the slice's own share raised; without a slice the plan's `share`, which strata override."""
    lowest = min(met.levels)
    levels = {
        level: hourly * max(1.0, share / level) if stratum is not None or level == lowest else hourly
        for level, hourly in met.levels.items()
    }
    return replace(met, levels=levels, applicable=met.applicable * sum(levels.values()) / met.eligible)


def decided(waits: tuple[Wait, Wait]) -> float | None:
    """Hours until a check is decided whichever way it is; None where one of them is never."""
    hours = [math.inf if wait.median is None else wait.median for wait in waits]
    return None if math.inf in hours else max(hours)
