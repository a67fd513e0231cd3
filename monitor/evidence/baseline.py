"""How high a live rate may be before it is news: a bound from the baseline period, its uncertainty included.

Hours are merged in time order until each span has enough units; span h with k of n yes gets the upper bound u_h
of the binomial tail bound

    n KL(k/n, u) = log(H / level),   KL(p, q) = p log(p/q) + (1-p) log((1-p)/(1-q)),

simultaneously over the H spans. The null of the live detector is

    rate <= factor x max_h u_h       (the plan declares no swing; factor 1.5: half as much again as the worst hour)
    rate <= (1 + swing) x u_all      (the plan declares a swing around the pooled rate; u_all at `level` itself)

For a fall, yes are all other outcomes than those that may have become fewer. The null is then that the rate of these,
at least 1 - u in the baseline, is divided by at most as much: rate <= 1 - (1 - u) / factor.

Guarantee: with probability at least 1 - level over the baseline, the bound is at or above the widened true
rate, and then the detector's promise holds for every live rate that stays within the widening. The uncertainty
stays in the bound through every restart, as nothing here is replaced by a point estimate.

Conditions: units are independent given the hour's rate (one a conversation); spans depend on counts only; the
baseline is fixed before the live period. The bound is at or above Clopper-Pearson's. A fixed past cannot know
what a new day brings: beyond the widening there is no promise, which is why such evidence raises tickets.

Sources: Hoeffding, "Probability inequalities for sums of bounded random variables", JASA 58 (1963), theorem 1;
Garivier and Cappe, "The KL-UCB algorithm", COLT (2011), for the inversion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from monitor.errors import IntegrityError
from monitor.evidence.bets import Ints

TOO_SHORT = "baseline too short"
TOO_HIGH = "baseline too high to notice a rise"
TOO_LOW = "baseline too low to notice a fall"
CONTAMINATED = "baseline contaminated: only what is beyond its one bad hour is noticed"


@dataclass(frozen=True, slots=True)
class BaselineRule:
    """What a baseline must have and how far it is widened. `level` is the chance that the bound is too low."""

    hours: int = 24
    units: int = 500
    span_units: int = 100
    factor: float = 1.5
    level: float = 0.01


@dataclass(frozen=True, slots=True)
class RateBound:
    """The widened bound in (0, 1), or None with the reason; `worst` is the bound before widening.

    `note` says what is odd about a bound that holds all the same.
    """

    bound: float | None
    worst: float | None
    hours: int
    units: int
    reason: str
    note: str = ""


def kl_upper(yes: float, units: float, level: float) -> float:
    """The upper bound of a rate from `yes` of `units`, exceeded with probability at most `level`; 1 without units."""
    if units <= 0:
        return 1.0
    return float(_inverted(yes / units, math.log(1.0 / level) / units))


@njit(cache=True)
def _inverted(mean: float, limit: float) -> float:
    """The least q, of those tried, with KL(mean, q) at or above the limit."""
    inside, out = mean, 1.0
    for _ in range(50):
        middle = 0.5 * (inside + out)
        left = mean * math.log(mean / middle) if mean > 0.0 else 0.0
        right = 0.0
        if mean < 1.0:
            right = (1.0 - mean) * math.log((1.0 - mean) / (1.0 - middle)) if middle < 1.0 else math.inf
        if left + right >= limit:
            out = middle
        else:
            inside = middle
    return out


def _spans(hours: Ints, least: int) -> list[tuple[int, int]]:
    """Hours (yes, units) merged in order until each span has `least` units; a thin rest joins the last span."""
    spans: list[tuple[int, int]] = []
    yes = units = 0
    for hour_yes, hour_units in hours.tolist():
        yes, units = yes + hour_yes, units + hour_units
        if units >= least:
            spans.append((yes, units))
            yes = units = 0
    if units and spans:
        spans[-1] = (spans[-1][0] + yes, spans[-1][1] + units)
    return spans or [(yes, units)]


def rate_bound(
    hours: npt.ArrayLike, *, swing: float | None = None, rule: BaselineRule | None = None, fall: bool = False
) -> RateBound:
    """The bound for a live rate from the baseline's hours, shape (H, 2): yes and units, in time order.

    For "the rate fell", pass units - yes and `fall`: the answer bounds the rate of no's. IntegrityError if yes > units.
    """
    rule = rule or BaselineRule()
    table = np.asarray(hours, np.int64).reshape(-1, 2)
    if np.any(table < 0) or np.any(table[:, 0] > table[:, 1]):
        raise IntegrityError("a baseline hour has a negative count or more yes than units")
    filled, units, note = int((table[:, 1] > 0).sum()), int(table[:, 1].sum()), ""
    if filled < rule.hours or units < rule.units:
        return RateBound(None, None, filled, units, TOO_SHORT)
    if swing is None:
        spans = _spans(table, rule.span_units)
        worst, factor = max(kl_upper(yes, n, rule.level / len(spans)) for yes, n in spans), rule.factor
        note = CONTAMINATED if _one_bad(spans, rule) else ""
    else:
        worst, factor = kl_upper(int(table[:, 0].sum()), units, rule.level), 1.0 + swing
    bound = 1.0 - (1.0 - worst) / factor if fall else factor * worst
    if bound >= 1.0:
        return RateBound(None, worst, filled, units, TOO_LOW if fall else TOO_HIGH)
    return RateBound(bound, worst, filled, units, "", note)


def _one_bad(spans: list[tuple[int, int]], rule: BaselineRule) -> bool:
    """Whether one span is shown to lie beyond what the widening of all others together would allow."""
    yes, units = (sum(values) for values in zip(*spans, strict=True))
    k, n = max(spans, key=lambda span: span[0] / max(span[1], 1))
    above = 1.0 - kl_upper(n - k, n, rule.level / len(spans))
    return units > n and above > rule.factor * kl_upper(yes - k, units - n, rule.level)
