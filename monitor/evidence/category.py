"""Have the shares of categories shifted, and which category rose or fell? Each is held against the rest, both ways.

With K categories there are 2K questions: has category c risen (a yes is c), has it fallen (a yes is any other)? Each
has an e-process E_q of its own, by any method for yes and no (`concurrent`, with its tolerated odds), and

    E = (1 / 2K) sum_q E_q,      P(E >= 1/alpha at any look) <= alpha

while no category has risen or fallen by more than is tolerated: an average of e-processes is one, however they hang
together, and here they hang together closely, as categories share their units. The same average of Shiryaev-Roberts
statistics keeps the promise of `detector`. E is never less than the largest E_q / 2K, so nothing is lost to Bonferroni.

Categories are named by closed testing in its simplest form: those with E_q >= 2K / alpha have shifted with probability
at least 1 - alpha, all of them together; if there is none, only the largest is pointed at.

Conditions: those of the E_q; categories fixed before; a unit is in exactly one category.

Sources: Vovk and Wang, "E-values: calibration, combination and applications", Ann. Statist. 49 (2021), section 3: the
arithmetic mean is essentially the best symmetric way to merge e-values of any dependence, and 5 for closed testing.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from monitor.errors import IntegrityError
from monitor.evidence.bets import Floats, Ints


def one_against_rest(counts: npt.ArrayLike, units: npt.ArrayLike) -> Ints:
    """Yes and units of the 2K questions, (2K, T, 2): rise and fall of the first category, then of the next, …

    `counts` (T, K) are of the watched categories, `units` (T,) of all. IntegrityError where they do not fit.
    """
    sums, total = np.asarray(counts, np.int64), np.asarray(units, np.int64)
    if (sums < 0).any() or (sums.sum(axis=1) > total).any():
        raise IntegrityError("categories have a negative count or more units than there are")
    yes = np.stack([sums.T, total - sums.T], axis=1).reshape(-1, len(total))
    return np.stack([yes, np.broadcast_to(total, yes.shape)], axis=-1)


def averaged(logs: npt.ArrayLike) -> float:
    """log of the mean of exp(logs): the log evidence of all questions together."""
    values = np.asarray(logs, np.float64)
    peak = float(values.max())
    if not math.isfinite(peak):
        return peak
    return peak + math.log(math.fsum(np.exp(values - peak).tolist()) / values.size)


def named(logs: Floats, bar: float) -> tuple[int, ...]:
    """The questions that are answered with yes at log(1/alpha) = `bar`, largest first; else the largest alone."""
    order = np.argsort(-logs, kind="stable")
    shown = [int(q) for q in order if logs[q] >= bar + math.log(logs.size)]
    return tuple(shown) or (int(order[0]),)
