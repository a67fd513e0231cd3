"""Has the slow tail grown against a concurrent control? Bins of both arms, blocked by time, load and length.

In each stratum the edge of block t is the bin that held the control's p-quantile in all blocks before t: known before
the block's outcomes. A value beyond the edge is a yes, and `concurrent` compares the arms' yes rates in each block and
stratum. With `shift` bins the edge is moved up for the arm under test: a tail up to that much longer is tolerated.

Guarantee: that of `concurrent`, at every look: P(E >= 1/alpha ever) <= alpha while in every block and stratum a value
here is no likelier to lie beyond the (moved) edge than a control's beyond the edge. That the edge is an estimate costs
only speed. Load that doubles on both arms changes how many values each stratum has, not how the arms compare in it.

Conditions: those of `concurrent`; strata are fixed by the request and by the load at its arrival, the same for both
arms; bins fixed before. A stratum speaks once its control has `least` values before.

Sources: Howard and Ramdas, Bernoulli 28 (2022), section 5: quantiles in A/B tests by counts beyond one; for the
comparison see `concurrent`.
"""

from __future__ import annotations

import numpy as np

from monitor.evidence.bets import Counts, Floats, Ints
from monitor.evidence.concurrent import gains, mixed, odds_between

LEAST = 100


def edges(control: Counts, p: float, least: int = LEAST) -> Ints:
    """The edge of each block and stratum, (T, S), from control counts (T, S, B); -1 while there are too few."""
    before = _before(control)
    below, total = np.cumsum(before, axis=-1), before.sum(axis=-1)
    found = np.argmax(below >= p * total[..., None], axis=-1)
    return np.where(total >= least, found, -1)


def beyond(here: Counts, control: Counts, edge: Ints, shift: int = 0) -> Ints:
    """Yes and units here, then of the control, by block and stratum, (T, S, 4), from counts (T, S, B) of both arms.

    A yes is a value beyond the edge, here beyond the moved one. Nothing is counted where there is no edge yet.
    """
    counts = []
    for table, moved in ((here, edge + shift), (control, edge)):
        values = np.asarray(table, np.int64)
        counts += [above(values, moved), values.sum(axis=-1)]
    return np.stack(counts, axis=-1) * (edge >= 0)[..., None]


def tolerated_odds(control: Counts, edge: Ints, part: float) -> Floats:
    """The rho_0 of each block and stratum, (T, S), for a part of a bin in [0, 1); infinite where there is no edge."""
    before = _before(control)
    over, more = above(before, edge), above(before, edge - 1)
    return odds_between(over + part * (more - over), over, before.sum(axis=-1), edge >= 0)


def log_evidence(
    here: Counts, control: Counts, p: float, *, shift: int = 0, part: float = 0.0, least: int = LEAST
) -> Floats:
    """Log evidence after each block, (T,), from counts (T, S, B) of both arms in time order."""
    edge = edges(control, p, least)
    counts, odds = beyond(here, control, edge, shift), tolerated_odds(control, edge, part)
    yes, units, yes0, units0 = np.moveaxis(counts, -1, 0)
    each = gains(yes, units, yes0, units0, odds).sum(axis=-1)
    return mixed(np.add.accumulate(each, axis=1))


def above(table: Ints, edge: Ints) -> Ints:
    """Values in bins above the edge, whose shape is the table's without its bins."""
    return np.asarray(np.where(np.arange(table.shape[-1]) > edge[..., None], table, 0).sum(axis=-1), np.int64)


def _before(control: Counts) -> Ints:
    """What all blocks before each one held."""
    sums = np.asarray(control, np.int64)
    return np.asarray(np.cumsum(sums, axis=0) - sums, np.int64)
