"""Latency against the past: values beyond what was the slow tail before the deploy, stratum by stratum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.control import QUANTILE, bins
from monitor.evidence.baseline import TOO_HIGH, TOO_SHORT, BaselineRule, RateBound, rate_bound
from monitor.evidence.tail import LEAST, above
from monitor.live import LiveCheck, latency_bins
from monitor.plan import BudgetRule
from monitor.series import Series
from monitor.tickets import Null, by_hour

NO_EDGE = np.iinfo(np.int64).max


def edges_before(past: Sequence[Series]) -> NDArray[np.int64]:
    """The bin of each stratum that held the 95 % quantile before the deploy, (S,); beyond all bins where few came."""
    total = np.asarray(sum(latency_bins(series).sum(axis=0) for series in past), np.int64)
    below, units = np.cumsum(total, axis=-1), total.sum(axis=-1)
    found = np.argmax(below >= QUANTILE * units[:, None], axis=-1)
    return np.where(units >= LEAST, found, NO_EDGE)


def beyond(check: LiveCheck, series: Series, edges: NDArray[np.int64], tolerance: float) -> NDArray[np.int64]:
    """Values beyond the edge moved by whole bins, and all values, by row and stratum, (T, S, 2), of strata that have an
    edge."""
    shift, _ = bins(check.signal, tolerance)
    return _beyond(latency_bins(series), edges, shift)


def _beyond(table: NDArray[np.int64], edges: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    heard = edges < NO_EDGE
    over = above(table, np.where(heard, edges, 0) + shift)
    return np.stack([over, table.sum(axis=-1)], axis=-1) * heard[:, None]


def null_before(
    check: LiveCheck, past: Sequence[Series], edges: NDArray[np.int64], width: int, rule: BudgetRule, tolerance: float
) -> Null:
    """The highest bound of any stratum for values beyond its edge, so that more load or longer prompts are no news.

    The part of a bin that is tolerated lies on the straight line between the bounds at both ends of the edge's bin.
    The edges are the data's own: every bin could have been one, and the level is split.
    """
    counts = [(series.buckets, latency_bins(series)) for series in past]
    whole = by_hour([(buckets, _beyond(table, edges, 0).sum(axis=1)) for buckets, table in counts], width)
    units = int(whole[:, 1].sum())
    if int((whole[:, 1] > 0).sum()) < BaselineRule().hours:
        return Null(RateBound(None, None, len(whole), units, TOO_SHORT))
    strata = [s for s in range(len(edges)) if edges[s] < NO_EDGE]
    level = BaselineRule().level / (max(len(strata), 1) * latency_bins(past[0]).shape[-1])
    each, (_, part) = BaselineRule(hours=1, units=LEAST, level=level), bins(check.signal, tolerance)

    def worst(s: int, shift: int) -> float:
        """The bound before widening of values beyond one stratum's moved edge; all of them where it has none."""
        hours = by_hour([(buckets, _beyond(table, edges, shift)[:, s]) for buckets, table in counts], width)
        found = rate_bound(hours, swing=rule.swing, rule=each).worst
        return 1.0 if found is None else found

    if not strata:
        return Null(RateBound(None, None, len(whole), units, TOO_SHORT))
    bound = max((1.0 - part) * worst(s, 0) + part * worst(s, -1) for s in strata)
    bound *= each.factor if rule.swing is None else 1.0 + rule.swing
    if bound >= 1.0:
        return Null(RateBound(None, None, len(whole), units, TOO_HIGH))
    return Null(RateBound(bound, None, len(whole), units, ""))
