"""The second anchor of a pass: the latest window of pairs, so that good old pairs cannot cover for bad new ones.

Epochs are cut by pair counts alone: epoch j ends with the first block at which it holds

    length_j = size x log(j (j + 1) / alpha) / log(2 / alpha)    pairs,    as the bar of window j + 1 demands.

Window w is epoch w and epoch w + 1 together and is read from the end of epoch w to the end of epoch w + 1 (the
first one from the deploy on), so it always ends now and holds at least one whole epoch. In each window the
e-process of `bets` starts anew and is held against

    alpha_1 = alpha,    alpha_w = alpha / (w (w - 1))  for w > 1.

A pass asks for this and for the same e-process since the deploy, at alpha. Harm from the deploy on is held off by the
latter alone. Harm that begins later, in epoch j, can only be passed wrongly by windows that lie after its beginning,
from window j + 1 on; as sum_{w > j} alpha_w = alpha / j, the chance that any of them ever wrongly looks clear is at
most alpha / j, at all looks. So a wrong pass has probability at most alpha whenever harm began, and window 1, whose
pairs are those since the deploy, costs nothing of its own. Read alone, the windows keep 2 alpha. Epochs grow with their
bar, so a discordance that passes in the second window passes in all of them.

Conditions: those of `bets` within a window; blocks are sealed and their ends do not peek (boundaries are stopping
times of past counts); block ends are stored, as another cut gives other windows.

Sources: Howard et al., Ann. Statist. 49 (2021), stitching (a budget over epochs); the e-process within
a window: see `bets`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitor.errors import IntegrityError
from monitor.evidence.bets import Counts, Floats, Ints


@dataclass(frozen=True, slots=True)
class WindowRule:
    """`size`: pairs in the first epoch (at least 1); `alpha`: the budget over all windows, in (0, 1)."""

    size: int
    alpha: float

    def share(self, window: int | Ints) -> Floats:
        """alpha_w of a window, numbered from 1."""
        number = np.asarray(window, np.float64)
        return np.asarray(self.alpha / (number * np.maximum(number - 1.0, 1.0 / number)))

    def threshold(self, window: int | Ints) -> Floats:
        """The log evidence that settles a window: log(1 / alpha_w)."""
        return np.asarray(-np.log(self.share(window)))

    def length(self, epoch: int | Ints) -> Ints:
        """Pairs after which an epoch ends, numbered from 1."""
        number = np.maximum(np.asarray(epoch, np.int64), 1)
        return np.ceil(self.size * self.threshold(number + 1) / self.threshold(2)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class WindowState:
    """What is remembered, for a batch of checks (...); arrays are never written to.

    `done` (...) epochs are complete; `last` and `open` (..., J) are the counts of the last complete epoch and of
    the open one; `last_start` and `open_start` (...) are their first blocks, -1 where there is none.
    """

    done: Ints
    last: Ints
    open: Ints
    last_start: Ints
    open_start: Ints

    @property
    def counts(self) -> Ints:
        """Counts of the latest window, (..., J)."""
        return self.last + self.open

    @property
    def window(self) -> Ints:
        """Number of the latest window, (...), from 1."""
        return np.maximum(self.done, 1)

    @property
    def start(self) -> Ints:
        """First block of the latest window, (...); -1 before the first pair."""
        return np.where(self.done > 0, self.last_start, self.open_start)


def size_for(tolerance: float, alpha: float) -> int:
    """Pairs in the first epoch: enough to pass at no harm and a discordance of `tolerance` each way.

    There the best bet grows by 0.22 x tolerance a pair; 6 log(2/alpha) / tolerance leaves a quarter for the mixture.
    A tolerance under a thousandth counts as one.
    """
    return math.ceil(6.0 * math.log(2.0 / alpha) / max(tolerance, 0.001))


def fresh(categories: int, batch: tuple[int, ...] = ()) -> WindowState:
    """The state before any block: `categories` is J, `batch` the shape of the checks."""
    empty, none = np.zeros((*batch, categories), np.int64), np.full(batch, -1, np.int64)
    return WindowState(np.zeros(batch, np.int64), empty, empty, none, none)


def advance(rule: WindowRule, state: WindowState, counts: Counts, block: int) -> WindowState:
    """The state after one sealed block; `counts` (..., J) are of this block alone. IntegrityError if negative."""
    added = np.asarray(counts, np.int64)
    if np.any(added < 0):
        raise IntegrityError("a block's counts are negative")
    held = state.open + added
    begun = np.where((state.open_start < 0) & (added.sum(axis=-1) > 0), block, state.open_start)
    full = held.sum(axis=-1) >= rule.length(state.done + 1)
    wide = full[..., None]
    return WindowState(
        state.done + full,
        np.where(wide, held, state.last),
        np.where(wide, 0, held),
        np.where(full, begun, state.last_start),
        np.where(full, -1, begun),
    )


def fold(rule: WindowRule, blocks: Counts, first: int = 0) -> WindowState:
    """The state after blocks (T, ..., J), numbered from `first`; equal to advancing one by one."""
    table = np.asarray(blocks, np.int64)
    state = fresh(table.shape[-1], table.shape[1:-1])
    for number, counts in enumerate(table, first):
        state = advance(rule, state, counts, number)
    return state
