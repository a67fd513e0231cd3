"""Gating checks against their bar: pairs in; evidence, bounds on both anchors, and forecast out.

Harmful (fail): the e-process since the deploy reached 1 / fail_alpha. Clear (one condition of a pass): the
e-process against "harm >= tolerance" reached 1 / pass_alpha since the deploy, and 1 / alpha_w in the latest window.
Guarantees and conditions are those of `bets`, `interval` and `latest`; a fail is never undone by later pairs only
if the caller latches it from the ledger.

All numbers of a grid are computed at once, and are equal bit for bit to those of each check alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitor.errors import IntegrityError
from monitor.evidence.bets import Counts, Floats, Ints, Support, log_all_clear, log_evidence
from monitor.evidence.interval import bounds, estimate
from monitor.evidence.latest import WindowRule, WindowState
from monitor.evidence.needs import Need, forecast, need
from monitor.evidence.paired import PairedCounts
from monitor.model import Interval


@dataclass(frozen=True, slots=True)
class Bar:
    """What one check is held against: `tolerance` in (0, 1) as a difference, and the alphas of `budget`."""

    tolerance: float
    fail_alpha: float
    pass_alpha: float

    @property
    def fail_threshold(self) -> float:
        """log(1 / fail_alpha)."""
        return -math.log(self.fail_alpha)

    @property
    def clear_threshold(self) -> float:
        """log(1 / pass_alpha)."""
        return -math.log(self.pass_alpha)


@dataclass(frozen=True, slots=True)
class PairedResult:
    """One check at one look. `harmful`: fail. `clear`: the upper bound lies under the tolerance on both anchors.

    Evidence is in natural logs. `latest_log_all_clear` is held against `latest_threshold`, which rises with the
    window's number. `harm` has its lower bound at fail_alpha and its upper one at pass_alpha, so that lower >
    tolerance is `harmful`; `latest` has both at the window's share. `need` is None once settled, or for never.
    """

    pairs: int
    excluded: int
    log_evidence: float
    log_all_clear: float
    harm: Interval
    latest: Interval
    latest_pairs: int
    latest_log_evidence: float
    latest_log_all_clear: float
    latest_threshold: float
    need: Need | None
    harmful: bool
    clear: bool


def evidences(
    support: Support, counts: Counts, tolerance: float | Floats, *, weights: Support | None = None
) -> tuple[Floats, Floats]:
    """Log evidence of harm and of all-clear for a grid of checks: counts (..., J), both results (...).

    Checks of one signal share a tolerance; a call per signal is fastest.
    """
    harm = log_evidence(support, counts, tolerance, weights=weights)
    return harm, log_all_clear(support, counts, tolerance, weights=weights)


def assess_pairs(
    pairs: PairedCounts,
    bar: Bar,
    rule: WindowRule,
    window: WindowState,
    *,
    pairs_per_second: float | None = None,
) -> PairedResult:
    """Every number of one check: `pairs` since the deploy; `window` of this check alone (batch shape ()).

    The window's counts are on the same support. IntegrityError if the window holds more than all pairs.
    """
    batch = WindowState(*(np.expand_dims(getattr(window, name), 0) for name in WindowState.__slots__))
    counts, excluded = np.array([pairs.counts], np.int64), np.array([pairs.excluded], np.int64)
    pace = None if pairs_per_second is None else np.array([pairs_per_second])
    return assess_grid(pairs.support, counts, excluded, bar, rule, batch, pace=pace, weights=pairs.weights)[0]


def assess_grid(
    support: Support,
    counts: Counts,
    excluded: Counts,
    bar: Bar,
    rule: WindowRule,
    window: WindowState,
    *,
    pace: Floats | None = None,
    weights: Support | None = None,
) -> tuple[PairedResult, ...]:
    """The same for N checks of one signal: counts (N, J), excluded (N,), `window` of batch shape (N,), by harm.

    `pace` (N,) are pairs a second. IntegrityError if a window holds more than all pairs of its check.
    """
    sums, recent = np.asarray(counts, np.int64), window.counts
    if recent.shape != sums.shape or np.any(recent > sums):
        raise IntegrityError("the latest window holds more pairs than there are since the deploy")
    whole = evidences(support, sums, bar.tolerance, weights=weights)
    latest = evidences(support, recent, bar.tolerance, weights=weights)
    threshold, share = rule.threshold(window.window), rule.share(window.window)
    harmful = whole[0] >= bar.fail_threshold
    clear = ~harmful & (whole[1] >= bar.clear_threshold) & (latest[1] >= threshold)
    intervals = _intervals(support, sums, bar.fail_alpha, bar.pass_alpha, weights)
    recents = _intervals(support, recent, share, share, weights)
    waits = _waits(support, sums, recent, bar, threshold, harmful | clear, pace, weights)
    left_out = np.asarray(excluded, np.int64)
    return tuple(
        PairedResult(
            pairs=int(sums[i].sum()),
            excluded=int(left_out[i]),
            log_evidence=float(whole[0][i]),
            log_all_clear=float(whole[1][i]),
            harm=intervals[i],
            latest=recents[i],
            latest_pairs=int(recent[i].sum()),
            latest_log_evidence=float(latest[0][i]),
            latest_log_all_clear=float(latest[1][i]),
            latest_threshold=float(threshold[i]),
            need=waits[i],
            harmful=bool(harmful[i]),
            clear=bool(clear[i]),
        )
        for i in range(len(sums))
    )


def _intervals(
    support: Support, sums: Ints, below: float | Floats, above: float | Floats, weights: Support | None
) -> list[Interval]:
    lower, upper = bounds(support, sums, below, above, weights=weights)
    means = [estimate(support, row, weights) for row in sums]
    return [
        Interval(None, None, None) if mean is None else Interval(mean, float(low), float(high))
        for mean, low, high in zip(means, lower, upper, strict=True)
    ]


def _waits(
    support: Support,
    sums: Ints,
    recent: Ints,
    bar: Bar,
    threshold: Floats,
    settled: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    pace: Floats | None,
    weights: Support | None,
) -> list[Need | None]:
    """Forecasts of the undecided: towards a pass, the longer of both anchors; towards a fail, since the deploy."""
    waits: list[Need | None] = [None] * len(sums)
    rows = np.flatnonzero(~settled)
    if not rows.size:
        return waits
    tolerance, fail_at = bar.tolerance, bar.fail_threshold
    fail, clear = forecast(support, sums[rows], tolerance, fail_at, bar.clear_threshold, weights=weights)
    _, window = forecast(support, recent[rows], tolerance, fail_at, threshold[rows], weights=weights)
    for place, i in enumerate(rows.tolist()):
        each = None if pace is None else float(pace[i])
        both = max(float(clear[place]), float(window[place]))
        waits[i] = need(float(fail[place]), both, each)
    return waits
