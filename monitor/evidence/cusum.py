"""A bank of CUSUMs on a lattice: finds a rise of a live rate, with an exact promise of false alarms.

For odds that rise by a factor rho over a known yes rate p, the log likelihood ratio of one unit is

    x log(rho) - d,    d = log(1 - p + rho p).

Component c is Page's CUSUM for one rho_c, rounded to a lattice of step s_c: each yes adds up_c, and after every m
units, by a clock that counts all units, it loses down_c and is set to zero where it is negative,

    S_c <- max(0, S_c + up_c k - down_c ticks),      alarm when S_c >= h_c for any c.

`levels` places the levels by the exact law of the run length (`runlength`), not by a likelihood ratio, so rounding
costs no validity and overshoot none of the promise:

    P(alarm within N units) <= alpha    while every unit is a yes with probability at most p given its past,

for any dependence within that, at any looks, blocks of any sizes, as long as block ends do not peek. Starting anew
after an alarm, E[alarms within N units] <= alpha / (1 - alpha). A block counts as a whole: scores are set to zero only
at block ends, so wide blocks are safe and slower. State is integers, and a function of the sealed blocks alone.

Sources: Page, "Continuous inspection schemes", Biometrika 41 (1954); Reynolds and Stoumbos, "A CUSUM chart for
monitoring a proportion when inspecting continuously", J. Qual. Technol. 31 (1999), the Bernoulli CUSUM on a lattice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from monitor.errors import IntegrityError
from monitor.evidence.bets import Floats, Ints
from monitor.evidence.levels import Bank


@dataclass(frozen=True, slots=True)
class BankState:
    """What is remembered: `score` and `start` (..., C), the `clock` and the number of `units` (...). Never written to.

    `start` is the block in which a score last left zero, -1 before any.
    """

    score: Ints
    start: Ints
    clock: Ints
    units: Ints


def fresh(shape: Bank, batch: tuple[int, ...] = ()) -> BankState:
    """The state before any block, for a batch of streams; `shape` is the bank, of batch shape () or `batch`."""
    components = (*batch, shape.up.shape[-1])
    none = np.zeros(batch, np.int64)
    return BankState(np.zeros(components, np.int64), np.full(components, -1, np.int64), none, none)


def update(bank: Bank, state: BankState, yes: npt.ArrayLike, units: npt.ArrayLike, block: int) -> BankState:
    """The state after one sealed block of `yes` among `units`, shapes (...). IntegrityError where that cannot be."""
    hits, total = np.asarray(yes, np.int64), np.asarray(units, np.int64)
    if (hits < 0).any() or (hits > total).any():
        raise IntegrityError("a block has a negative count or more yes than units")
    clock = state.clock + total
    ticks = clock // bank.every
    low = state.score == 0
    score = state.score + bank.up * hits[..., None] - bank.down * ticks[..., None]
    return BankState(
        np.maximum(score, 0),
        np.where(low & (total > 0)[..., None], block, state.start),
        clock - ticks * bank.every,
        state.units + total,
    )


def fold(bank: Bank, yes: Ints, units: Ints, blocks: Ints) -> BankState:
    """The state of one detector after blocks (T,) in time order, numbered `blocks`: `update` for each, compiled.

    IntegrityError where a block cannot be or comes before an earlier one.
    """
    hits, total = np.asarray(yes, np.int64), np.asarray(units, np.int64)
    if (hits < 0).any() or (hits > total).any():
        raise IntegrityError("a block has a negative count or more yes than units")
    if (np.diff(blocks) < 0).any():
        raise IntegrityError("blocks are not in time order")
    start, score = np.full(bank.up.shape, -1, np.int64), np.zeros(bank.up.shape, np.int64)
    clock = _folded(int(bank.every), bank.up, bank.down, hits, total, np.asarray(blocks, np.int64), score, start)
    return BankState(score, start, np.array(clock, np.int64), np.array(total.sum(), np.int64))


@njit(cache=True)
def first_alarm(every: int, up: Ints, down: Ints, level: Ints, yes: Ints, units: Ints) -> int:
    """The place of the first block after which one detector stands at a level, -1 for none; blocks as in `fold`."""
    clock, score = 0, np.zeros(up.size, np.int64)
    for t in range(yes.size):
        clock += units[t]
        ticks = clock // every
        clock -= ticks * every
        for c in range(up.size):
            score[c] = max(0, score[c] + up[c] * yes[t] - down[c] * ticks)
            if score[c] >= level[c]:
                return t
    return -1


@njit(cache=True)
def _folded(every: int, up: Ints, down: Ints, yes: Ints, units: Ints, blocks: Ints, score: Ints, start: Ints) -> int:
    clock = 0
    for t in range(yes.size):
        clock += units[t]
        ticks = clock // every
        clock -= ticks * every
        for c in range(up.size):
            if score[c] == 0 and units[t] > 0:
                start[c] = blocks[t]
            score[c] = max(0, score[c] + up[c] * yes[t] - down[c] * ticks)
    return clock


def alarmed(bank: Bank, state: BankState) -> npt.NDArray[np.bool_]:
    """Which detectors stand at or above a level, shape (...)."""
    return np.asarray((state.score >= bank.level).any(axis=-1))


def leading(bank: Bank, state: BankState) -> tuple[Floats, Floats, Ints]:
    """Of the component nearest to its level: score and level in nats, and the block where it left zero, each (...)."""
    best = np.argmax(state.score / bank.level, axis=-1)[..., None]

    def pick(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.take_along_axis(np.broadcast_to(values, state.score.shape), best, axis=-1)[..., 0]

    return pick(state.score * bank.step), pick(bank.level * bank.step), pick(state.start)


def restart(state: BankState, chosen: npt.ArrayLike) -> BankState:
    """The state with the detectors in `chosen` (bool, (...)) back at zero, as after an alarm was latched."""
    anew = np.asarray(chosen, np.bool_)
    wide = anew[..., None]
    return BankState(
        np.where(wide, 0, state.score),
        np.where(wide, -1, state.start),
        np.where(anew, 0, state.clock),
        np.where(anew, 0, state.units),
    )
