"""Whose fault: quantization, serving, traffic or load, for one failing check.

On the pairs that hold all three arms, harm splits exactly:

    logged - reference  =  (logged - deployed)  +  (deployed - reference)
                              serving               quantization

and traffic is the reference's own rate now less its rate in the baseline period, within one partition cell.
Each contribution gets a confidence sequence by betting at alpha / (number of causes asked), so all hold at once
and at every look; traffic's is the difference of two, each at half of its share. A cause is named when its lower
bound exceeds the tolerance; of several, the largest estimate is the main one.

Conditions: those of `monitor.evidence.interval`; the deployed arm is the served build (else leave it missing);
baseline and present are the same partition cell; the number of causes asked does not depend on outcomes.

Source: Waudby-Smith and Ramdas, JRSS-B 86 (2024), betting confidence sequences; Bonferroni over causes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.errors import IntegrityError
from monitor.evidence.attribution import Period, attribute
from monitor.evidence.bets import RATE, SCORE_GRID, YES_NO, Counts, Ints
from monitor.evidence.interval import bounds, estimate, interval
from monitor.evidence.joint import Direction, checked, contrast, outcomes
from monitor.model import Arm, Blame, Contribution, Interval

NO_DEPLOYED = "no deployed replay"
NO_BASELINE = "no reference replays of the baseline period"
NO_LOAD = "no load strata"
MORE_PAIRS = "more pairs"
NOTHING = Interval(None, None, None)


@dataclass(frozen=True, slots=True)
class Differences:
    """Counts by harm on `support` (positive is worse) of the four contrasts of one check, each shape (J,).

    `weights`, one a value of the support, are set where units were included unequally.
    """

    support: tuple[float, ...]
    total: Ints
    serving: Ints
    quantization: Ints
    noise: Ints
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class ReferencePeriods:
    """Outcomes of the reference in one partition cell, now and in the baseline period, each shape (J,).

    `support` are harm values in [0, 1]: (0, 1) for no and yes, or a score's grid turned so that more is worse.
    """

    support: tuple[float, ...]
    now: Ints
    before: Ints


def from_joint(joint: Counts, direction: Direction = "more", weights: Sequence[float] = (1.0,)) -> Differences:
    """The contrasts of a yes/no signal from joint counts (3, 3, 3, 3); IntegrityError if they cannot be true.

    Serving and quantization are counted on pairs with all three arms, so that they add up. With several `weights`,
    counts have an axis of inclusion groups before the others.
    """
    three = (Arm.LOGGED, Arm.DEPLOYED, Arm.REFERENCE)
    serving, _ = contrast(joint, Arm.LOGGED, Arm.DEPLOYED, direction, present=three)
    quantization, _ = contrast(joint, Arm.DEPLOYED, Arm.REFERENCE, direction, present=three)
    total, _ = contrast(joint, Arm.LOGGED, Arm.REFERENCE, direction)
    noise, _ = contrast(joint, Arm.SECOND, Arm.REFERENCE, direction)
    return _grouped(YES_NO, (total, serving, quantization, noise), weights)


def _grouped(base: tuple[float, ...], found: Sequence[Ints], weights: Sequence[float]) -> Differences:
    """One group's support after the other; unweighted where there is but one."""
    each = tuple(weight for weight in weights for _ in base) if len(weights) > 1 else None
    total, serving, quantization, noise = (np.asarray(counts, np.int64).reshape(-1) for counts in found)
    return Differences(base * len(weights), total, serving, quantization, noise, each)


def from_scores(
    logged_reference: Counts,
    logged_deployed: Counts,
    deployed_reference: Counts,
    second_reference: Counts,
    grid: tuple[float, ...] = SCORE_GRID,
    weights: Sequence[float] = (1.0,),
) -> Differences:
    """The contrasts of a score from counts (J,) of each difference on `grid`; a drop is harm. `weights` as above."""
    support = tuple(-x for x in reversed(grid))
    given = (logged_reference, logged_deployed, deployed_reference, second_reference)
    turned = [checked(counts)[..., ::-1] for counts in given]
    if any(counts.shape[-1] != len(grid) or counts.size != len(grid) * len(weights) for counts in turned):
        raise IntegrityError("a difference count does not fit its grid")
    return _grouped(support, turned, weights)


def reference_periods(joint: Counts, baseline: Counts, direction: Direction = "more") -> ReferencePeriods:
    """The reference's no and yes counts in two joint arrays (3, 3, 3, 3) of one partition cell, as harm."""
    now, before = outcomes(joint, Arm.REFERENCE), outcomes(baseline, Arm.REFERENCE)
    return (
        ReferencePeriods(RATE, now, before) if direction == "more" else ReferencePeriods(RATE, now[::-1], before[::-1])
    )


def blame(
    differences: Differences,
    tolerance: float,
    alpha: float,
    *,
    periods: ReferencePeriods | None = None,
    latency: bool = False,
) -> Blame:
    """The cause of one failing check, with simultaneous bounds at level 1 - alpha.

    `tolerance` and all bounds are differences of rates or mean scores. The cause is `undetermined` without a
    deployed replay, unless logged and reference are alike while the reference itself moved. Load is never decided
    here: with `latency`, `missing` says so.
    """
    causes = 2 if periods is None else 3
    level = alpha / causes
    found = {
        "serving": interval(differences.support, differences.serving, level, weights=differences.weights),
        "quantization": interval(differences.support, differences.quantization, level, weights=differences.weights),
    }
    if periods is not None:
        found["traffic"] = _shift(periods, level)
    contributions = tuple(Contribution(name, bound, _exceeds(bound, tolerance)) for name, bound in found.items())
    cause = _main(contributions, differences, tolerance, level)
    return Blame(cause, contributions, _missing(contributions, cause, periods, latency), _noise(differences))


def split(
    now: Period, before: Period, tolerance: float, alpha: float, noise: float | None, *, innocent: Sequence[str] = ()
) -> Blame:
    """A change between two periods as contributions of all four causes (see `attribution`), with shares of the total.

    `innocent` causes are shown and never named. Load is left out, and said to be missing, where the periods do not hold
    pairs in the same strata of it, or no strata at all.
    """
    known = _loads_known(before, now)
    periods = (before, now) if known else (_pooled(before), _pooled(now))
    found = attribute(*periods, tolerance, alpha)
    terms = {cause: term for cause, term in found.contributions.items() if known or cause != "load"}
    contributions = tuple(
        Contribution(cause, term, cause not in innocent and _exceeds(term, tolerance), found.shares.get(cause))
        for cause, term in terms.items()
    )
    named = [one for one in contributions if one.named]
    cause = max(named, key=lambda one: one.interval.estimate or 0.0).cause if named else "undetermined"
    lacks = [what for what in found.missing if what != MORE_PAIRS]
    missing = [*lacks, *([] if known else [NO_LOAD]), *([MORE_PAIRS] if cause == "undetermined" and not lacks else [])]
    return Blame(cause, contributions, tuple(dict.fromkeys(missing)), noise, found.total)


def _loads_known(before: Period, now: Period) -> bool:
    """Whether both periods have units above the lowest stratum or in several, and pairs wherever a term needs them."""
    loads = before.load + now.load
    if not before.load.any() or not now.load.any() or not loads[1:].any() or now.serving is None:
        return False
    needed = [(now.serving, loads > 0)] + ([] if before.serving is None else [(before.serving, before.load > 0)])
    return all(bool(serving[strata].sum(axis=1).all()) for serving, strata in needed)


def _pooled(period: Period) -> Period:
    """The same in a single stratum."""
    serving = None if period.serving is None else period.serving.sum(axis=0, keepdims=True)
    return replace(period, serving=serving, load=np.array([1], np.int64))


def _exceeds(bound: Interval, tolerance: float) -> bool:
    return bound.lower is not None and bound.lower > tolerance


def _shift(periods: ReferencePeriods, alpha: float) -> Interval:
    """Mean now less mean before; each bound combines two at alpha / 4."""
    means = [estimate(periods.support, counts) for counts in (periods.now, periods.before)]
    if means[0] is None or means[1] is None:
        return NOTHING
    table = np.stack([checked(periods.now), checked(periods.before)])
    lower, upper = bounds(periods.support, table, alpha / 4, alpha / 4, low=0.0, high=1.0)
    return Interval(means[0] - means[1], float(lower[0] - upper[1]), float(upper[0] - lower[1]))


def _main(contributions: tuple[Contribution, ...], differences: Differences, tolerance: float, level: float) -> str:
    named = [c for c in contributions if c.named and c.interval.estimate is not None]
    if differences.quantization.sum() == 0:  # serving and quantization claim nothing: their level is free
        total = interval(differences.support, differences.total, level, weights=differences.weights)
        alike = total.upper is not None and total.upper < tolerance
        named = [c for c in named if c.cause == "traffic" and alike]
    return max(named, key=lambda c: c.interval.estimate or 0.0).cause if named else "undetermined"


def _missing(
    contributions: tuple[Contribution, ...], cause: str, periods: ReferencePeriods | None, latency: bool
) -> tuple[str, ...]:
    by_cause = {c.cause: c.interval for c in contributions}
    deployed = by_cause["quantization"].estimate is not None
    traffic = by_cause.get("traffic", NOTHING).estimate is not None
    wanted = (
        (NO_DEPLOYED, not deployed),
        (NO_BASELINE, periods is None or not traffic),
        (NO_LOAD, latency),
        (MORE_PAIRS, cause == "undetermined" and deployed),
    )
    return tuple(what for what, lacks in wanted if lacks)


def _noise(differences: Differences) -> float | None:
    """Mean absolute difference of the reference from itself: for yes/no, the share of pairs that disagree."""
    return estimate(tuple(abs(x) for x in differences.support), differences.noise, differences.weights)
