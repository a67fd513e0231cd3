"""When a live rate began to be too high: an interval for the block of the change, read at an alarm.

Up to the change, at block v, a unit is a yes with probability at most p given its past; from v on with probability at
least p' > p (odds rho times as high). At an alarm in block T:

    latest   = the first block at which a bank of `cusum` with P(alarm before v) <= alpha stands at a level, at most T;
    earliest = min {j : max_{t = j..T} sum_{i = j..t} (l_i(p) - l_i(p')) < log 1/alpha},   l a block's log likelihood.

Guarantee: P(T >= v and v > latest) <= alpha, as the bank then alarmed before the change; P(T >= v and v < earliest) <=
alpha, as the likelihood ratio from v on is an e-process against "rate >= p'" (its expectation is at most 1 at p' and,
by the monotone likelihood ratio, above), so Ville's inequality holds its maximum. So the change lies in [earliest,
latest] or the alarm is false, but for a chance of 2 alpha. Nothing is paid for the number of blocks: only the true one
has to survive.

Conditions: those of `cusum` before the change; after it the rate stays at or above p'. A change that crept in, or by
less, began no later than `latest` all the same.

Source: Saha and Ramdas, "Post-detection inference for sequential changepoint localization", arXiv 2502.06096 (2025):
confidence sets by testing each candidate with the data before and after it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitor.evidence import cusum, levels
from monitor.evidence.bets import Floats, Ints


@dataclass(frozen=True, slots=True)
class Onset:
    """The first and the last block at which the change may have begun."""

    earliest: int
    latest: int


def onset(
    yes: Ints, units: Ints, blocks: Ints, rate: float, horizon: int, *, rho: float = 1.5, alpha: float = 0.05
) -> Onset:
    """The interval from blocks (T,) in time order, at most `horizon` units, the last one that of the alarm."""
    high = rho * rate / (1.0 - rate + rho * rate)
    ratio = yes * math.log(rate / high) + (units - yes) * math.log((1.0 - rate) / (1.0 - high))
    possible = np.flatnonzero(_best(ratio) < math.log(1.0 / alpha))
    bank = levels.known_rate(rate, horizon, alpha)
    last = int(cusum.first_alarm(int(bank.every), bank.up, bank.down, bank.level, yes, units))
    last = len(blocks) - 1 if last < 0 else last
    first = min(int(possible[0]) if possible.size else last, last)
    return Onset(int(blocks[first]), int(blocks[last]))


def _best(ratio: Floats) -> Floats:
    """The largest sum of `ratio` from each block on, to any later one."""
    found, ahead = np.empty(len(ratio)), 0.0
    for j in range(len(ratio) - 1, -1, -1):
        ahead = ratio[j] + max(0.0, ahead)
        found[j] = ahead
    return found
