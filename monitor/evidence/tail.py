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
from monitor.evidence.concurrent import gains, mixed

LEAST = 100


def edges(control: Counts, p: float, least: int = LEAST) -> Ints:
    """The edge of each block and stratum, (T, S), from control counts (T, S, B); -1 while there are too few."""
    sums = np.asarray(control, np.int64)
    before = np.cumsum(sums, axis=0) - sums
    below, total = np.cumsum(before, axis=-1), before.sum(axis=-1)
    found = np.argmax(below >= p * total[..., None], axis=-1)
    return np.where(total >= least, found, -1)


def beyond(here: Counts, control: Counts, p: float, *, shift: int = 0, least: int = LEAST) -> Ints:
    """Yes and units here, then of the control, by block and stratum, (T, S, 4), from counts (T, S, B) of both arms.

    A yes is a value beyond the edge, here beyond the moved one. Nothing is counted where there is no edge yet.
    """
    arms = [np.asarray(here, np.int64), np.asarray(control, np.int64)]
    edge = edges(arms[1], p, least)
    counts = []
    for table, moved in zip(arms, (edge + shift, edge), strict=True):
        bins = np.arange(table.shape[-1])
        counts += [np.where(bins > moved[..., None], table, 0).sum(axis=-1), table.sum(axis=-1)]
    return np.stack(counts, axis=-1) * (edge >= 0)[..., None]


def log_evidence(here: Counts, control: Counts, p: float, *, shift: int = 0, least: int = LEAST) -> Floats:
    """Log evidence after each block, (T,), from counts (T, S, B) of both arms in time order."""
    counts = beyond(here, control, p, shift=shift, least=least)
    each = gains(*np.moveaxis(counts, -1, 0)).sum(axis=-1)
    return mixed(np.add.accumulate(each, axis=1))
