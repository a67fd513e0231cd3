"""Live rates against a baseline of finitely many units, whose uncertainty is in the levels, through every restart.

With k yes among n baseline units, the bank of `cusum` is laid out at the estimate and its levels are raised, in one of
two ways. Neither replaces the rate by its estimate in the promise.

* `averaged`: the false alarms are averaged over what the rate may be,

      sum_i P(p_{i-1} < p <= p_i | k, n) P_{p_i}(alarm within N units)  <=  alpha,

  with the posterior of a declared prior, Beta(1/2, 1/2) (Jeffreys), in slices narrow enough for an upper sum, as the
  chance rises with p. Averaged over that prior, the baseline and the live units, a false alarm within N units has
  probability at most alpha; at any one rate it may be a little above or below.
* `worst_case`: the bank of `levels.known_rate` at the exact upper bound of the rate at level beta, with alpha - beta.
  The promise holds at every rate, averaged over baseline and live units, without a prior.

Conditions: baseline and live units are independent given one rate (one unit a conversation, no daily cycle: for that
see `baseline` and `concurrent`); the baseline is fixed before the live period; alarms as in `cusum`.

Sources: Clopper and Pearson, Biometrika 26 (1934); Jeffreys, "Theory of probability" (1939), section 3.1; Zhang and
Castagliola and others call the unconditional run length that is promised here "averaged over phase I": Jones, Champ
and Rigdon, "The run length distribution of the CUSUM with estimated parameters", J. Qual. Technol. 36 (2004).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from monitor.errors import IntegrityError
from monitor.evidence import levels
from monitor.evidence.baseline import TOO_SHORT
from monitor.evidence.bets import Floats
from monitor.evidence.levels import SPENT, Bank, bank, known_rate
from monitor.evidence.runlength import Part, alone, false_alarm, yes_chances

ODDS = (2.4,)
"""One component: a rise by half hides in what a few thousand baseline units leave open, whatever is laid out for it."""

STEP = 0.15
PRIOR = (0.5, 0.5)
SLICES = np.concatenate([[-1.0], np.arange(-0.75, 4.3, 0.25)])
"""Ends of the posterior's slices, in standard normal scores; the last slice counts as an alarm."""

LEAST = 200
NO_BASELINE = "baseline too short: what its rate may be leaves no room for this promise"


@lru_cache(maxsize=8192)
def averaged(yes: int, units: int, horizon: int, alpha: float) -> Bank:
    """The bank that alarms falsely within `horizon` live units with probability at most alpha, averaged as above.

    IntegrityError if yes > units; ValueError for a baseline of fewer than 200 units, or of too few for the promise.
    """
    _checked(yes, units)
    middle = _middle(yes, units)
    rates, masses, rest = _slices(yes + PRIOR[0], units - yes + PRIOR[1])
    if rest + _surely(middle, rates, masses, horizon) > SPENT * alpha:
        raise ValueError(NO_BASELINE)

    def law(parts: Sequence[Part], every: int) -> float:
        return rest + math.fsum(
            mass * false_alarm(parts, every, rate, horizon) for rate, mass in zip(rates, masses, strict=True)
        )

    def single(parts: Sequence[Part], every: int) -> float:
        steps = -(-horizon // every)
        return math.fsum(
            mass * alone(parts[0], yes_chances(every, rate), steps) for rate, mass in zip(rates, masses, strict=True)
        )

    return bank(middle, SPENT * alpha, law, single, ODDS, STEP)


def laid_out(yes: int, units: int) -> Bank:
    """The bank of `averaged` before its levels are placed: enough to fold, and cheap."""
    return levels.laid_out(_middle(yes, units), ODDS, STEP)


def _surely(middle: float, rates: Sequence[float], masses: Sequence[float], horizon: int) -> float:
    """How likely the rate is one at which the score climbs beyond any level within the horizon."""
    every, ((up, down, unit),) = levels.lattice(middle, ODDS, STEP)
    climbs = [(up * rate - down / every) * unit * horizon for rate in rates]
    return math.fsum(mass for climb, mass in zip(climbs, masses, strict=True) if climb > 2.0 * levels.LAST)


def _middle(yes: int, units: int) -> float:
    return (yes + PRIOR[0]) / (units + sum(PRIOR))


def worst_case(yes: int, units: int, horizon: int, alpha: float, *, share: float = 0.3) -> Bank:
    """The bank that does so at every rate; `share` of alpha goes to the baseline's bound. Errors as in `averaged`."""
    _checked(yes, units)
    return known_rate(exact_upper(yes, units, share * alpha), horizon, (1.0 - share) * alpha)


def exact_upper(yes: int, units: int, level: float) -> float:
    """The rate at which `yes` or fewer of `units` have probability `level`: Clopper and Pearson's upper bound."""
    k = np.arange(yes + 1)
    ways = np.array([_log_ways(units, j) for j in k.tolist()])
    low, high = yes / units, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if middle >= 1.0:
            break
        tail = float(np.exp(ways + k * math.log(middle) + (units - k) * math.log1p(-middle)).sum())
        low, high = (middle, high) if tail > level else (low, middle)
    return high


def _checked(yes: int, units: int) -> None:
    if not 0 <= yes <= units:
        raise IntegrityError("a baseline has a negative count or more yes than units")
    if units < LEAST:
        raise ValueError(TOO_SHORT)


def _log_ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _slices(a: float, b: float) -> tuple[list[float], list[float], float]:
    """Upper ends and masses of the slices of a Beta(a, b), and the mass beyond the last."""
    centre, spread = math.log(a / b), math.sqrt(1.0 / a + 1.0 / b)
    logit = np.linspace(centre - 12.0 * spread, centre + 9.0 * spread, 40_001)
    density = a * logit - (a + b) * np.logaddexp(0.0, logit)
    mass: Floats = np.exp(density - density.max())
    below = np.cumsum(mass) / mass.sum()
    ends = np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in SLICES.tolist()])
    at = np.interp(ends, below, logit)
    return (1.0 / (1.0 + np.exp(-at))).tolist(), np.diff(ends, prepend=0.0).tolist(), float(1.0 - ends[-1])
