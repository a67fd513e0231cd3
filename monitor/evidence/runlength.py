"""How soon a bank of lattice CUSUMs alarms by chance: the exact law of its run length, no simulation.

A bank (see `cusum`) counts its units by a clock of m and keeps C integer scores, all from zero. A unit that is a yes
adds a_c to each; after every m units each loses e_c and is set to zero where it is negative. It alarms when any score
reaches its level h_c. At a yes rate p, independent, the scores of one component are a Markov chain on 0 … h_c - 1:

    P(no alarm in N units) = 1' Q^s start,   s = ceil(N / m),   Q[i -> max(0, i + a k - e)] = Bin(m, p)(k),

and two components together are one on the product. For components 1 … C in order of their size,

    P(any alarms) <= sum_c P(c or c + 1) - sum_{1 < c < C} P(c),

which is close, as a component rarely alarms without a neighbour.

Guarantee: `false_alarm` is at or above the chance that the bank alarms within N units while every unit is a yes with
probability at most p given all before it, for looks at any block ends. Proof: scores rise with every yes, so a
coupling makes independent units at p the worst case; and a look at fewer times, or setting a negative score to zero at
fewer times (block ends only), gives scores that are nowhere higher.

Conditions: those of the rate; block ends do not peek. Rounding is in double precision; the tail of the binomial below
1e-13 is put on the last value kept, and states below 1e-22 are counted as alarms. A long horizon is cut where the rate
of alarms per step has settled to a part in 10^5: it rises towards its limit (the chain starts at its least state and
is stochastically monotone), so it is taken 0.1 % higher.

Sources: Brook and Evans, "An approach to the probability distribution of CUSUM run length", Biometrika 59 (1972),
equations 2-5; Hunter, "An upper bound for the probability of a union", J. Appl. Prob. 13 (1976), theorem 1;
Daley, "Stochastically monotone Markov chains", Z. Wahrscheinlichkeitstheorie 10 (1968).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numba import njit

from monitor.evidence.bets import Floats

Part = tuple[int, int, int]
"""Up, down and level of one component, in its own steps."""

TAIL = 1e-13
SETTLED, MARGIN, STRIDE = 1e-5, 1.001, 64
SURE, DUST = 1e-6, 1e-22
FEW, MANY = 0.005, 3.0
"""Where the sum over components is this small or large, it is the bound: alarms together are not worth the search."""

STATES, HALF = 12_000, 0.5
"""Nor where two components have more states than this together (rates above 15 %, or promises of many millions of
units), or where most units are a yes: scores fall slowly there, and a settled rate is far ahead."""


def false_alarm(parts: Sequence[Part], every: int, rate: float, units: int) -> float:
    """The bound above for a bank of these parts on a clock of `every`, within `units` units; at most 1."""
    chances, steps = yes_chances(every, rate), -(-units // every)
    union = math.fsum(alone(part, chances, steps) for part in parts)
    large = rate > HALF or max((a[2] * b[2] for a, b in itertools.pairwise(parts)), default=0) > STATES
    if len(parts) == 1 or large or union < FEW or union > MANY:
        return min(1.0, union)
    tails = _tails(chances)
    pairs = sum(_both(*left, *right, chances, tails, steps) for left, right in itertools.pairwise(parts))
    return min(1.0, pairs - sum(alone(part, chances, steps) for part in parts[1:-1]))


def alone(part: Part, chances: Floats, steps: int) -> float:
    """The exact chance that one component alarms within so many steps of the clock."""
    return float(_one(*part, chances, _tails(chances), steps))


def _tails(chances: Floats) -> Floats:
    return np.asarray(np.cumsum(chances[::-1])[::-1].copy(), np.float64)


@lru_cache(maxsize=1024)
def yes_chances(every: int, rate: float) -> Floats:
    """The chances of 0, 1, … yes among `every` units, cut where the tail is below 1e-13, which the last one holds.

    As many are computed as may matter, however many units there are: by Bernstein's inequality less than 1e-15 lies
    beyond mean + 10 sqrt(mean) + 60.
    """
    mean = every * rate
    k = np.arange(min(every, math.ceil(mean + 10.0 * math.sqrt(mean) + 60.0)))
    ratios = np.log((every - k) / (k + 1.0)) + (math.log(rate) - math.log1p(-rate))
    mass = np.exp(every * math.log1p(-rate) + np.concatenate([[0.0], np.cumsum(ratios)]))
    beyond = np.cumsum(mass[::-1])[::-1]
    kept = mass[: int((beyond > TAIL).sum())].copy()
    kept[-1] += max(0.0, 1.0 - kept.sum())
    kept.setflags(write=False)  # it is remembered
    return np.asarray(kept, np.float64)


@njit(cache=True)
def _cut(dead: float, rate: float, left: int) -> float:
    """The chance of an alarm where `dead` have alarmed and this rate of alarms has settled for the steps left."""
    return dead + (1.0 - dead) * -math.expm1(left * math.log1p(-MARGIN * rate))


@njit(cache=True)
def _one(up: int, down: int, level: int, chances: Floats, tails: Floats, steps: int) -> float:
    now, alive, dead, before = np.zeros(level), 1.0, 0.0, 0.0
    now[0] = 1.0
    for step in range(steps):
        after, lost = np.zeros(level), 0.0
        for i in range(level):
            if now[i] > 0.0:
                for k in range(chances.size):
                    at = i + up * k
                    if at >= level:
                        lost += now[i] * tails[k]
                        break
                    after[max(0, at - down)] += now[i] * chances[k]
        now, dead = after, dead + lost
        if step % STRIDE == STRIDE - 1:
            rate = lost / alive
            if lost > 0.0 and rate - before <= SETTLED * rate:
                return _cut(dead, rate, steps - step - 1)
            before = rate
        alive = 1.0 - dead
        if alive < SURE:
            return 1.0
    return dead


@njit(cache=True)
def _both(
    up: int, down: int, level: int, up2: int, down2: int, level2: int, chances: Floats, tails: Floats, steps: int
) -> float:
    now, alive, dead, before = np.zeros((level, level2)), 1.0, 0.0, 0.0
    now[0, 0] = 1.0
    for step in range(steps):
        after, lost = np.zeros((level, level2)), 0.0
        for i in range(level):
            for j in range(level2):
                mass = now[i, j]
                if mass <= DUST:
                    lost += mass
                    continue
                for k in range(chances.size):
                    at, at2 = i + up * k, j + up2 * k
                    if at >= level or at2 >= level2:
                        lost += mass * tails[k]
                        break
                    after[max(0, at - down), max(0, at2 - down2)] += mass * chances[k]
        now, dead = after, dead + lost
        if step % STRIDE == STRIDE - 1:
            rate = lost / alive
            if lost > 0.0 and rate - before <= SETTLED * rate:
                return _cut(dead, rate, steps - step - 1)
            before = rate
        alive = 1.0 - dead
        if alive < SURE:
            return 1.0
    return dead
