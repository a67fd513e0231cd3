"""A confidence sequence for a bounded mean: the margins that the bets have not ruled out.

    lower = inf {m : E(m) < 1/alpha_lower},   upper = sup {m : E'(m) < 1/alpha_upper}

with E the e-process of `bets` against "mean <= m" and E' the one against "mean >= m". E(m) falls in m, so each
bound is one bisection. By Ville's inequality the mean lies within [lower, upper] at all looks at once, with
probability at least 1 - alpha_lower - alpha_upper.

Conditions: those of `bets`, and one mean: E[x | past] = mu for every unit. Where the conditional mean moves, the
lower bound still says "it was not always at or under this", and the upper bound "not always at or over this".

Because bound and test are the same bets, lower > tolerance exactly when the check fails at alpha_lower, and
upper < tolerance exactly when it is all-clear at alpha_upper, up to the rounding below.

The bisection stops after a fixed number of halvings and returns the end that was ruled out (or the end of the
range), so it rounds outward, by less than 1e-7.

Source: Waudby-Smith and Ramdas, JRSS-B 86 (2024), betting confidence sequences (inverted capital processes).
"""

from __future__ import annotations

import math

import numpy as np

from monitor.evidence.bets import Counts, Floats, Support, log_evidence
from monitor.model import Interval

HALVINGS = 26


def _lower(
    support: Support, counts: Counts, alpha: float | Floats, low: float, high: float, weights: Support | None
) -> Floats:
    batch = np.asarray(counts).shape[:-1]
    out, inside = np.full(batch, low), np.full(batch, high)
    threshold = -np.log(alpha)
    for _ in range(HALVINGS):
        middle = 0.5 * (out + inside)
        rejected = log_evidence(support, counts, middle, low=low, weights=weights) >= threshold
        out, inside = np.where(rejected, middle, out), np.where(rejected, inside, middle)
    return out


def bounds(
    support: Support,
    counts: Counts,
    alpha_lower: float | Floats,
    alpha_upper: float | Floats,
    *,
    low: float = -1.0,
    high: float = 1.0,
    weights: Support | None = None,
) -> tuple[Floats, Floats]:
    """Time-uniform lower and upper bounds of the mean; `counts` (..., J), both results (...), in [low, high].

    Each side errs with its own probability, in (0, 1), one or (...). Without counts the bounds are low and high.
    """
    mirrored = -np.asarray(support, np.float64)
    lower = _lower(support, counts, alpha_lower, low, high, weights)
    return lower, -_lower(mirrored, counts, alpha_upper, -high, -low, weights)


def estimate(support: Support, counts: Counts, weights: Support | None = None) -> float | None:
    """The (weighted) mean outcome of one vector of counts (J,); None without counts."""
    values, sums = np.asarray(support, np.float64), np.asarray(counts, np.float64)
    mass = sums if weights is None else sums * np.asarray(weights, np.float64)
    total = math.fsum(mass)
    return math.fsum(mass * values) / total if total > 0 else None


def interval(
    support: Support,
    counts: Counts,
    alpha: float,
    *,
    alpha_upper: float | None = None,
    low: float = -1.0,
    high: float = 1.0,
    weights: Support | None = None,
) -> Interval:
    """Mean with bounds for one vector of counts (J,); without counts, all None.

    `alpha` is split equally over both sides; with `alpha_upper`, `alpha` is the lower side's own.
    """
    mean = estimate(support, counts, weights)
    if mean is None:
        return Interval(None, None, None)
    below, above = (alpha / 2, alpha / 2) if alpha_upper is None else (alpha, alpha_upper)
    lower, upper = bounds(support, counts, below, above, low=low, high=high, weights=weights)
    return Interval(mean, float(lower), float(upper))
