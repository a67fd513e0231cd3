"""Latency against the past: values beyond what was the slow tail before the deploy, stratum by stratum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.control import QUANTILE, bins
from monitor.evidence.baseline import TOO_SHORT, BaselineRule, RateBound, rate_bound
from monitor.evidence.tail import LEAST
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
    """Values beyond the moved edge and all values, by row and stratum, (T, S, 2), of strata that have an edge."""
    table, heard = latency_bins(series), edges < NO_EDGE
    moved = np.where(heard, edges, 0) + bins(check.signal, tolerance)
    over = np.where(np.arange(table.shape[-1]) > moved[:, None], table, 0).sum(axis=-1)
    return np.stack([over, table.sum(axis=-1)], axis=-1) * heard[:, None]


def null_before(
    check: LiveCheck, past: Sequence[Series], edges: NDArray[np.int64], width: int, rule: BudgetRule, tolerance: float
) -> Null:
    """The highest bound of any stratum for values beyond its edge, so that more load or longer prompts are no news.

    A tail beyond the edge, not the moved one, was seen before the deploy; that it may be as heavy beyond the moved one
    is what the tolerance says. The edges are the data's own: every bin could have been one, and the level is split.
    """
    tables = [(series.buckets, beyond(check, series, edges, 0.0)) for series in past]
    whole = by_hour([(buckets, table.sum(axis=1)) for buckets, table in tables], width)
    if int((whole[:, 1] > 0).sum()) < BaselineRule().hours:
        return Null(RateBound(None, None, len(whole), int(whole[:, 1].sum()), TOO_SHORT))
    strata = [s for s in range(len(edges)) if edges[s] < NO_EDGE]
    level = BaselineRule().level / (max(len(strata), 1) * latency_bins(past[0]).shape[-1])
    each = BaselineRule(hours=1, units=LEAST, level=level)
    bounds = [
        rate_bound(by_hour([(b, table[:, s]) for b, table in tables], width), swing=rule.swing, rule=each)
        for s in strata
    ]
    known = [bound.bound for bound in bounds if bound.bound is not None]
    if len(known) < len(bounds) or not bounds:
        return Null(
            RateBound(None, None, len(whole), int(whole[:, 1].sum()), bounds[0].reason if bounds else TOO_SHORT)
        )
    return Null(RateBound(max(known), None, len(whole), int(whole[:, 1].sum()), ""))
