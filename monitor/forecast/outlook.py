"""The forecast of one variant: every gating check with its pairs, its hours and what would help, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.checks import declared_levels
from monitor.evidence.check import Bar
from monitor.evidence.rehearsal import Draws
from monitor.forecast.advice import Advice, advise, decided
from monitor.forecast.assumed import measured
from monitor.forecast.meeting import Meeting, meet
from monitor.forecast.traffic import Traffic, inside, pairs_of, shares
from monitor.forecast.waits import Pace, Wait, wait
from monitor.gate import CheckKey, gating_checks
from monitor.sampling import LEVEL, Sampler
from monitor.slices import ALL
from monitor.watch import Group, Watch
from monitor.watched import budget

_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class CheckOutlook:
    """One gating check: what it meets, and when it is decided. `logged` is the mean outcome in the log.

    `passes` assumes no harm, `fails` a harm of twice the tolerance. `held` says why it holds whatever the pairs say.
    """

    slice: str
    signal: str
    direction: str
    tolerance: float
    units_per_hour: float
    pairs_per_hour: float
    logged: float
    measured_pairs: int
    passes: Wait
    fails: Wait
    held: str
    advice: tuple[Advice, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """One variant. `own` is false where the log does not have it, so that it is taken to serve everything.

    `refusals` counts units without a replay, by reason; `silent` are gating checks whose signal never applies.
    """

    variant: str
    own: bool
    hours: float
    units_per_hour: float
    pairs_per_hour: float
    refusals: Mapping[str, int]
    units: int
    checks: tuple[CheckOutlook, ...]
    silent: tuple[str, ...]

    @property
    def passes(self) -> float | None:
        """Hours until all checks have passed, going by medians; None where one never does."""
        found = [check.passes.median for check in self.checks]
        return None if not found or None in found else max(hours for hours in found if hours is not None)

    @property
    def fails(self) -> float | None:
        """Hours until the first check would have failed; None where none ever does."""
        return min((c.fails.median for c in self.checks if c.fails.median is not None), default=None)


def outlook(watch: Watch, traffic: Traffic, sampler: Sampler, answered: float, draws: Draws) -> Outlook:
    """The forecast for one variant's traffic under the plan, sampled by `sampler`; see `meet` for `answered`."""
    units, sampled = traffic.units, shares(watch, sampler, traffic.units)
    pairs = pairs_of(units, sampled)
    members = {rule.name: inside(watch, units, rule.name) for rule in watch.slicer.rules if rule.gates}
    met = {
        key: meet(key, units, members[key[0]], sampled, pairs, traffic.hours, answered) for key in gating_checks(watch)
    }
    paces = {signal: _pace(watch, signal, sampler) for _, signal, _ in met}
    both = {key: _both(found, paces[key[1]], draws) for key, found in met.items() if found is not None}
    checks = [
        _check(watch, key, found, paces[key[1]], both, members, draws)
        for key, found in met.items()
        if found is not None
    ]
    return Outlook(
        variant=traffic.variant,
        own=traffic.own,
        hours=traffic.hours,
        units_per_hour=len(units) / traffic.hours,
        pairs_per_hour=float(pairs.sum()) / traffic.hours,
        refusals=Counter(unit.refusal for unit in units if unit.refusal is not None and unit.reference is None),
        units=len(units),
        checks=tuple(checks),
        silent=tuple(f"{name}/{signal}" for (name, signal, _), found in met.items() if found is None),
    )


def _pace(watch: Watch, signal: str, sampler: Sampler) -> Pace:
    numbers, rule = budget(watch), watch.rule
    bar = Bar(watch.signal_rule(signal).tolerance, numbers.fail_alpha, numbers.pass_alpha)
    late = watch.lateness + watch.horizons[Group.PAIR]
    factor = sampler.epochs[-1].factor if sampler.epochs else 1.0
    declared = declared_levels(rule.shadow)
    weight = {1.0: declared[0] / LEVEL}
    for level in declared:
        weight[round(min(LEVEL, level * factor)) / LEVEL] = declared[0] / level
    return Pace(bar, watch.width / _HOUR, (watch.width + late) / _HOUR, rule.policy.minimum_pairs, weight)


def _both(met: Meeting, pace: Pace, draws: Draws) -> tuple[Wait, Wait]:
    return wait(met, pace, "pass", draws), wait(met, pace, "fail", draws)


def _check(
    watch: Watch,
    key: CheckKey,
    met: Meeting,
    pace: Pace,
    both: Mapping[CheckKey, tuple[Wait, Wait]],
    members: Mapping[str, NDArray[np.bool_]],
    draws: Draws,
) -> CheckOutlook:
    passes, fails = both[key]
    held, advice = "", tuple[Advice, ...]()
    limit = watch.rule.shadow.excluded_limit
    if met.excluded_share > limit:
        held = f"{met.excluded_share:.0%} of its pairs lack an arm, and above {limit:.0%} (excluded_limit) it holds"
        passes = Wait()
    elif decided((passes, fails)) is None and met.eligible:
        advice = (
            *advise(met, pace, None if key[0] == ALL else key[0], draws),
            *_coarser(key, both, members),
        )
    return CheckOutlook(
        slice=key[0],
        signal=key[1],
        direction=key[2],
        tolerance=pace.bar.tolerance,
        units_per_hour=met.units,
        pairs_per_hour=met.eligible,
        logged=met.mean,
        measured_pairs=met.differences.size if measured(met) else 0,
        passes=passes,
        fails=fails,
        held=held,
        advice=advice,
    )


def _coarser(
    key: CheckKey, both: Mapping[CheckKey, tuple[Wait, Wait]], members: Mapping[str, NDArray[np.bool_]]
) -> Sequence[Advice]:
    """The narrowest slice around this one whose check of the same signal is decided."""
    name, signal, direction = key
    found = []
    for other, waits in both.items():
        around = other[0] != name and not (members[name] & ~members[other[0]]).any()
        hours = decided(waits)
        if other[1:] == (signal, direction) and around and hours is not None:
            found.append((int(members[other[0]].sum()), Advice("slice", other[0], hours)))
    return [min(found, key=lambda one: one[0])[1]] if found else []
