"""A change of a live rate between two periods, split over quantization, serving, load and traffic.

With L the rate that users got, D and R those of the served build and of the reference replayed on the same units, a
load strata (shares pi of all units), and periods 0 (before) and 1 (now),

    L1 - L0 = sum_a pi0_a (s1_a - s0_a)        serving: what the engine adds at unchanged load,  s = L - D per stratum
            + sum_a (pi1_a - pi0_a) s1_a        load: what more units in busy strata add
            + (D1 - R1) - (D0 - R0)             quantization
            + R1 - R0                           traffic: the reference itself, replayed on both periods' units.

Where the earlier build was the reference, L0 = D0 = R0 and nothing is subtracted; the total is then L1 - R0.

A mix shift with constant rates per slice moves R as it moves L, and is traffic: no slice can be blamed for it.

Each term is bounded by confidence sequences of its means, alpha / 4 a term, split evenly over its means and sides, so
all terms hold together and at every look with probability at least 1 - alpha. The total is bounded on its own, at
alpha. Shares of the total are given only where its bounds exclude zero. A cause is named when its lower bound exceeds
the tolerance; of several, the largest is the main one.

Conditions: those of `interval` in each stratum and period (one mean each); pairs of a stratum are a fair sample of its
units; load strata are fixed by what was so at a request's arrival; the shares pi are the realised ones, counted on all
units, not estimates of others.

Sources: Kitagawa, "Components of a difference between two rates", JASA 50 (1955), equations 2-4 (rates and
composition); Bonferroni over terms; `interval` for the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monitor.errors import IntegrityError
from monitor.evidence.bets import RATE, YES_NO, Floats, Ints
from monitor.evidence.interval import bounds
from monitor.model import Interval

NO_REPLAYS_BEFORE = "no reference replays of the baseline period"
NO_DEPLOYED = "no deployed replay"
NO_LOAD = "no load strata"
MORE_PAIRS = "more pairs"
CAUSES = ("quantization", "serving", "load", "traffic")


@dataclass(frozen=True, slots=True)
class Period:
    """Counts of one period. Rates are (no, yes), differences (better, same, worse).

    `logged` and `reference` (2,); `quantization`, deployed less reference, (3,); `serving`, logged less deployed, by
    load stratum (A, 3); `load`, all units by stratum (A,). The last two differences are None where the build was the
    reference. Where units were included unequally, each vector is that of one group after the other, with `weights`
    (one a group, smallest inclusion probability over the group's own).
    """

    logged: Ints
    reference: Ints
    quantization: Ints | None
    serving: Ints | None
    load: Ints
    weights: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, slots=True)
class Attribution:
    """Main `cause` or `undetermined`, each cause in points of the rate, `shares` only of a total that is not zero."""

    cause: str
    total: Interval
    contributions: Mapping[str, Interval]
    shares: Mapping[str, float]
    missing: tuple[str, ...]


def attribute(before: Period, now: Period, tolerance: float, alpha: float) -> Attribution:
    """The split of logged-now less logged-before. IntegrityError where strata or counts do not fit each other.

    Without units in one of a term's means, that term is unknown and `missing` says what it lacks.
    """
    for period in (before, now):
        groups = 3 * len(before.weights)
        fits = period.load.shape == before.load.shape and period.weights == before.weights
        if period.serving is not None:
            fits = fits and period.serving.shape == (*before.load.shape, groups)
        if not fits or min(int(v.min()) for v in _tables(period)) < 0:
            raise IntegrityError("a period's counts are negative or do not fit its load strata")
    each = alpha / len(CAUSES)
    weights = before.weights
    quantized = [(sign, p.quantization) for sign, p in ((1.0, now), (-1.0, before)) if p.quantization is not None]
    terms = {
        "quantization": _signed(YES_NO, quantized, each, weights),
        "serving": _signed(YES_NO, _serving(before, now), each, weights),
        "load": _signed(YES_NO, _load(before, now), each, weights),
        "traffic": _signed(RATE, [(1.0, now.reference), (-1.0, before.reference)], each, weights),
    }
    total = _signed(RATE, [(1.0, now.logged), (-1.0, before.logged)], alpha, weights)
    named = {cause: t for cause, t in terms.items() if t.lower is not None and t.lower > tolerance}
    cause = max(named, key=lambda name: named[name].estimate or 0.0) if named else "undetermined"
    return Attribution(cause, total, terms, _shares(terms, total), _missing(terms, cause))


def _tables(period: Period) -> tuple[Ints, ...]:
    tables = (period.logged, period.reference, period.quantization, period.serving, period.load)
    return tuple(table for table in tables if table is not None)


def _serving(before: Period, now: Period) -> list[tuple[float, Ints]]:
    share = _share(before)
    both = [(sign, p.serving) for sign, p in ((1.0, now), (-1.0, before)) if p.serving is not None]
    return [(sign * w, row) for sign, rows in both for w, row in zip(share, rows, strict=True)]


def _load(before: Period, now: Period) -> list[tuple[float, Ints]]:
    return [] if now.serving is None else list(zip((_share(now) - _share(before)).tolist(), now.serving, strict=True))


def _share(period: Period) -> Floats:
    return np.asarray(period.load / max(1, int(period.load.sum())), np.float64)


def _signed(
    support: tuple[float, ...], parts: list[tuple[float, Ints]], alpha: float, groups: tuple[float, ...]
) -> Interval:
    """The sum of weight x mean over parts, bounds at alpha together; nothing where a part that counts has no units."""
    parts = [(weight, counts) for weight, counts in parts if weight != 0.0]
    if not parts:
        return Interval(0.0, 0.0, 0.0)
    weights, table = np.array([w for w, _ in parts]), np.stack([counts for _, counts in parts])
    units = table.sum(axis=-1)
    if (units == 0).any():
        return Interval(None, None, None)
    values, side = np.tile(np.asarray(support, np.float64), len(groups)), alpha / (2 * len(parts))
    scale = np.repeat(np.asarray(groups, np.float64), len(support))
    unequal = scale if len(groups) > 1 else None
    lower, upper = bounds(values, table, side, side, low=float(values[0]), weights=unequal)
    ends = np.sort(np.stack([weights * lower, weights * upper]), axis=0).sum(axis=1)
    return Interval(float(weights @ (table @ (scale * values) / (table @ scale))), float(ends[0]), float(ends[1]))


def _shares(terms: Mapping[str, Interval], total: Interval) -> dict[str, float]:
    """Each term over the total; empty where the total may be zero or a term is unknown."""
    if total.estimate is None or total.lower is None or total.upper is None or total.lower <= 0.0 <= total.upper:
        return {}
    if any(term.estimate is None for term in terms.values()):
        return {}
    return {cause: (term.estimate or 0.0) / total.estimate for cause, term in terms.items()}


def _missing(terms: Mapping[str, Interval], cause: str) -> tuple[str, ...]:
    lacks = {"quantization": NO_DEPLOYED, "serving": NO_DEPLOYED, "load": NO_LOAD, "traffic": NO_REPLAYS_BEFORE}
    found = [what for name, what in lacks.items() if terms[name].estimate is None]
    undecided = [MORE_PAIRS] if cause == "undetermined" and not found else []
    return tuple(dict.fromkeys(found + undecided))
