"""Shiryaev-Roberts e-detector: finds a change that comes after the deploy, at a promised rate of false alarms.

Over non-empty evidence blocks t = 1, 2, ..., for each bet k of `bets` with block wealth L_{t,k},

    M_{t,k} = (M_{t-1,k} + 1) L_{t,k},  M_{0,k} = 0,      M_t = sum_k w_k M_{t,k},      alarm when M_t >= A.

Guarantee: while the null "E[x | past] <= margin" holds, M_t - t is a supermartingale, so at the first alarm
E[blocks] >= E[M] >= A: at least A blocks between false alarms on average. Starting anew after an alarm, the same
step over each run gives A E[alarms in T blocks] <= T for every T: an expected number of false alarms, no
asymptotics, and P(an alarm within T blocks) <= T / A.

Conditions: those of `bets`, and block ends that do not peek at later outcomes (sealed buckets, clock or past
counts). Empty blocks are skipped: they carry no evidence, and counting only the others errs on the safe side.
M is no e-value (it grows like t under the null): never put it into e-BH or compare it with 1/alpha.

The start of the change is, for the component with the largest weighted sum, the block after which the partial
sum of log L is largest (the last reset of its CUSUM). It is an estimate without a bound.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
New England J. Stat. Data Sci. 2 (2024): Shiryaev-Roberts e-detectors, their mixtures, the bound on the run length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from monitor.evidence.bets import LOG_WEIGHTS, SHARES, Counts, Floats, Ints, Support, log_mixture, log_wealth

NOT_STARTED = -1


@dataclass(frozen=True, slots=True)
class DetectorState:
    """All that is remembered of past blocks, for a batch of checks (...); arrays are never written to.

    `log_m` and `run` (CUSUM of log wealth) have shape (48, ...), `start` likewise holds block numbers, `blocks`
    has shape (...) and counts non-empty blocks since the last start.
    """

    log_m: Floats
    run: Floats
    start: Ints
    blocks: Ints


def fresh(batch: tuple[int, ...] = (), bets: int = SHARES.size) -> DetectorState:
    """The state before any block, for a batch of checks of this shape."""
    shape = (bets, *batch)
    return DetectorState(
        np.full(shape, -np.inf),
        np.zeros(shape),
        np.full(shape, NOT_STARTED, np.int64),
        np.zeros(batch, np.int64),
    )


def update(
    state: DetectorState,
    support: Support,
    counts: Counts,
    margin: float | Floats,
    block: int,
    *,
    low: float = -1.0,
    weights: Support | None = None,
) -> DetectorState:
    """The state after one sealed block of paired differences; `counts` (..., J) are of this block alone.

    `block` is the block's number on any rising scale (its bucket); `margin` in (low, high), one or (...).
    """
    gain = log_wealth(support, counts, margin, low=low, weights=weights)
    seen = np.asarray(counts).sum(axis=-1) > 0
    anew = state.run <= 0.0
    return DetectorState(
        np.where(seen, np.logaddexp(state.log_m, 0.0) + gain, state.log_m),
        np.where(seen, np.maximum(state.run, 0.0) + gain, state.run),
        np.where(seen & anew, block, state.start),
        state.blocks + seen,
    )


def fold(state: DetectorState, gains: Floats, seen: Ints, blocks: Ints) -> DetectorState:
    """The state of one check (batch ()) after blocks (T,), from log factors (K, T) of any K bets; compiled.

    `seen` is 0 for blocks without units. Going on from a state equals starting anew, bit for bit.
    """
    log_m, run, start = state.log_m.copy(), state.run.copy(), state.start.copy()
    _folded(np.ascontiguousarray(gains.T), seen, blocks, log_m, run, start)
    return DetectorState(log_m, run, start, state.blocks + np.int64((seen > 0).sum()))


@njit(cache=True)
def _folded(gains: Floats, seen: Ints, blocks: Ints, log_m: Floats, run: Floats, start: Ints) -> None:
    for t in range(blocks.size):
        if seen[t] == 0:
            continue
        for k in range(log_m.size):
            above = max(log_m[k], 0.0)
            log_m[k] = above + math.log(math.exp(log_m[k] - above) + math.exp(-above)) + gains[t, k]
            if run[k] <= 0.0:
                start[k] = blocks[t]
            run[k] = max(run[k], 0.0) + gains[t, k]


def log_value(state: DetectorState) -> Floats:
    """log M, shape (...); minus infinity before the first non-empty block."""
    started = state.blocks > 0
    return np.where(started, log_mixture(np.where(started, state.log_m, 0.0)), -np.inf)


def change_start(state: DetectorState) -> Ints:
    """The block where the change seems to begin, shape (...); -1 before the first non-empty block."""
    weights = LOG_WEIGHTS.reshape((-1,) + (1,) * (state.log_m.ndim - 1))
    best = np.expand_dims(np.argmax(state.log_m + weights, axis=0), 0)
    return np.asarray(np.take_along_axis(state.start, best, axis=0)[0])


def restart(state: DetectorState, alarmed: npt.ArrayLike) -> DetectorState:
    """The state with the checks in `alarmed` (bool, (...)) set back to fresh, as after an alarm was latched."""
    chosen, empty = np.asarray(alarmed, np.bool_), fresh(state.blocks.shape)
    return DetectorState(
        np.where(chosen, empty.log_m, state.log_m),
        np.where(chosen, empty.run, state.run),
        np.where(chosen, empty.start, state.start),
        np.where(chosen, empty.blocks, state.blocks),
    )


def log_patience(seconds_per_false_alarm: float, block_seconds: float, checks: int) -> float:
    """The alarm level log A, at which `checks` detectors together alarm falsely once in that time, or rarer.

    Union over checks: each gets patience x checks, in blocks. ValueError where a promise is empty (A < 1).
    """
    blocks = seconds_per_false_alarm / block_seconds * max(checks, 1)
    if blocks < 1.0:
        raise ValueError("the promised time between false alarms is shorter than one block")
    return math.log(blocks)
