"""Two arms at the same time: is a yes likelier here than in the concurrent control? Blocked by time and stratum.

In a block where k of n units here and k0 of n0 units of the control are yes, given the sum K = k + k0, k is
hypergeometric if both arms have one rate, whatever that rate is; if the odds here are rho times as high,

    P_rho(k | K) = C(n, k) C(n0, K - k) rho^k / Z(rho),      Z(rho) = sum_j C(n, j) C(n0, K - j) rho^j.

Against "odds at most rho_0 times the control's" the factor of a block is P_rho(k | K) / P_{rho_0}(k | K), rho > rho_0.
Its expectation is at most 1 at rho_0, and at every ratio under it, as the family has a monotone likelihood ratio. The
product over blocks and strata, mixed over rho, is an e-process:

    P(E >= 1/alpha at any look) <= alpha.

What changes from block to block cancels, as each block is compared with itself: daily cycles, a changed mix, load.

Conditions: within a block and stratum, units of both arms are independent with one rate an arm (one unit a
conversation, arms assigned without regard to the outcome); block and stratum ends do not peek. A block without units of
both arms, or with no yes or only yes, says nothing. The factors depend on the blocks, not on their sums alone: blocks
must be the stored ones.

`gains` fits `detector.fold`, for a change that comes later.

Sources: Fisher, "The logic of inductive inference", JRSS 98 (1935); Cox, "Partial likelihood", Biometrika 62 (1975),
example 2: conditioning block by block; Turner, Ly and Grunwald, "Generic e-variables for exact sequential k-sample
tests", J. Stat. Plan. Inference 230 (2024), e-variables for two streams in blocks.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from monitor.errors import IntegrityError
from monitor.evidence.bets import Floats, Ints

ODDS: Floats = np.geomspace(1.15, 12.0, 24)
"""The rho / rho_0; neighbours are 11 % apart."""

LOG_WEIGHTS: Floats = np.full(ODDS.size, -math.log(ODDS.size))


def gains(
    yes: npt.ArrayLike,
    units: npt.ArrayLike,
    control_yes: npt.ArrayLike,
    control_units: npt.ArrayLike,
    ratio: float | Floats = 1.0,
) -> Floats:
    """Log factors of blocks, shape (24, ...), for counts of shape (...); `ratio` is rho_0, the odds that are tolerated.

    It is one number or one a block, fixed by what came before the block; where it is infinite, the block says nothing.
    IntegrityError for a negative count or more yes than units.
    """
    counts = np.broadcast_arrays(*(np.asarray(c, np.int64) for c in (yes, units, control_yes, control_units)))
    k, n, k0, n0 = (np.ascontiguousarray(c).reshape(-1) for c in counts)
    if (k < 0).any() or (k0 < 0).any() or (k > n).any() or (k0 > n0).any():
        raise IntegrityError("a block has a negative count or more yes than units")
    tolerated = np.ascontiguousarray(np.broadcast_to(np.log(ratio), counts[0].shape)).reshape(-1)
    odds = np.concatenate([[0.0], np.log(ODDS)])
    return _gains(k, n, k0, n0, odds, tolerated).reshape(ODDS.size, *counts[0].shape)


def tolerated_odds(control_yes: npt.ArrayLike, control_units: npt.ArrayLike, tolerance: float) -> Floats:
    """The rho_0 of each block (..., T) that a tolerated difference of rates comes to at the control's rate before it.

    With p the control's rate in all earlier blocks, rho_0 = odds(p + tolerance) / odds(p): known before the block, as
    it must be. Infinite where p + tolerance leaves no room, and in the first block.
    """
    yes, units = np.asarray(control_yes, np.float64), np.asarray(control_units, np.float64)
    before = [np.cumsum(counts, axis=-1) - counts for counts in (yes, units)]
    return odds_between(before[0] + tolerance * (before[1] + 1.0), before[0], before[1], before[1] > 0)


def odds_between(worse: Floats, yes: npt.ArrayLike, units: npt.ArrayLike, known: npt.NDArray[np.bool_]) -> Floats:
    """How much higher the odds are if `worse` of `units` were a yes and not `yes`, half a yes added to both.

    Infinite where `known` is false or all would be a yes.
    """
    total = np.asarray(units, np.float64) + 1.0
    rate, higher = (np.asarray(yes, np.float64) + 0.5) / total, (worse + 0.5) / total
    room = (higher < 1.0) & known
    higher = np.where(room, higher, 0.5)
    return np.where(room, higher / (1.0 - higher) * (1.0 - rate) / rate, np.inf)


def log_evidence(
    yes: npt.ArrayLike,
    units: npt.ArrayLike,
    control_yes: npt.ArrayLike,
    control_units: npt.ArrayLike,
    ratio: float | Floats = 1.0,
) -> Floats:
    """Log evidence after each block: counts (T, ...) in time order, the answer likewise. Strata are blocks, too."""
    total = np.add.accumulate(gains(yes, units, control_yes, control_units, ratio), axis=1)
    return mixed(total)


def mixed(total: Floats) -> Floats:
    """log sum_rho w_rho exp(total_rho) over the first axis."""
    peak = total.max(axis=0)
    return np.asarray(peak + np.log(np.add.accumulate(np.exp(total - peak), axis=0)[-1]) + LOG_WEIGHTS[0])


@njit(cache=True)
def _gains(k: Ints, n: Ints, k0: Ints, n0: Ints, odds: Floats, tolerated: Floats) -> Floats:
    found = np.zeros((odds.size - 1, k.size))
    logs, sums = np.zeros(odds.size), np.zeros(odds.size)
    for b in range(k.size):
        both = k[b] + k0[b]
        least, most = max(0, both - n0[b]), min(both, n[b])
        if least == most or not math.isfinite(tolerated[b]):
            continue
        for r in range(odds.size):
            logs[r] = odds[r] + tolerated[b]
        # Relative chances of j yes here, from the largest odds' mode outwards would under- or overflow only where
        # a block has thousands of yes: so they are kept relative to the running largest.
        for r in range(logs.size):
            term, peak, total = 0.0, 0.0, 1.0
            for j in range(least, most):
                term += math.log((n[b] - j) * (both - j) / ((j + 1.0) * (n0[b] - both + j + 1.0))) + logs[r]
                if term > peak:
                    total = total * math.exp(peak - term) + 1.0
                    peak = term
                else:
                    total += math.exp(term - peak)
            sums[r] = peak + math.log(total)
        for r in range(1, logs.size):
            found[r - 1, b] = (k[b] - least) * (logs[r] - logs[0]) - sums[r] + sums[0]
    return found
