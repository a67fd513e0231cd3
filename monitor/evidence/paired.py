"""The front for gating checks: pairs in, evidence, bounds and forecast out.

The tested contrast is logged - reference: what users got against what they would have got. Harm is oriented so
that positive is worse: "more" tests logged - reference (a yes is bad, or more refusals), "less" tests
reference - logged (fewer refusals, or a drop in score). Concordant pairs count: a test on discordant pairs alone
rejects under its own null as soon as the tolerance is above zero.

Guarantees and conditions are those of `bets` (fail, all-clear), `interval` (bounds), `latest` (second anchor).
`evidences` is vectorised for a whole grid of checks; `assess_pairs` adds the costlier numbers for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from monitor.errors import IntegrityError
from monitor.evidence.bets import SCORE_GRID, YES_NO, Counts, Floats, Ints, log_all_clear, log_evidence
from monitor.evidence.interval import interval
from monitor.evidence.joint import Direction, checked, contrast
from monitor.evidence.latest import WindowRule, WindowState
from monitor.evidence.needs import Need, needs
from monitor.model import Arm, Interval


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Eligible pairs of one check by harm: `counts[j]` pairs differ by `support[j]`; `excluded` lack an arm.

    `weights` (one per support value, in (0, 1]) are only set where units were sampled unequally.
    """

    support: tuple[float, ...]
    counts: tuple[int, ...]
    excluded: int = 0
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.support) or min(self.counts, default=0) < 0 or self.excluded < 0:
            raise IntegrityError("paired counts are negative or do not fit their support")

    @property
    def n(self) -> int:
        """Eligible pairs."""
        return sum(self.counts)

    @property
    def worse(self) -> int:
        """Pairs where the logged output is worse than the reference's (b)."""
        return sum(n for x, n in zip(self.support, self.counts, strict=True) if x > 0)

    @property
    def better(self) -> int:
        """Pairs where it is better (c)."""
        return sum(n for x, n in zip(self.support, self.counts, strict=True) if x < 0)

    @property
    def excluded_share(self) -> float:
        """Excluded pairs over all pairs, 0 without pairs."""
        return self.excluded / (self.n + self.excluded) if self.n + self.excluded else 0.0


def from_joint(joint: Counts, direction: Direction = "more") -> PairedCounts:
    """The check's pairs from one joint cell array (3, 3, 3, 3); IntegrityError if it cannot be true."""
    counts, excluded = contrast(joint, Arm.LOGGED, Arm.REFERENCE, direction)
    return PairedCounts(YES_NO, tuple(counts.tolist()), int(excluded))


def from_differences(
    counts: Counts, excluded: int = 0, direction: Direction = "less", grid: tuple[float, ...] = SCORE_GRID
) -> PairedCounts:
    """The check's pairs from counts (J,) of logged - reference on `grid`; "less" (a drop is harm) flips them."""
    sums = tuple(checked(counts).tolist())
    if direction == "more":
        return PairedCounts(grid, sums, excluded)
    return PairedCounts(tuple(-x for x in reversed(grid)), sums[::-1], excluded)


def from_totals(worse: int, better: int, n: int, excluded: int = 0) -> PairedCounts:
    """The check's pairs from b, c and n; IntegrityError where b + c > n or a count is negative."""
    return PairedCounts(YES_NO, (better, n - worse - better, worse), excluded)


def across_levels(levels: Iterable[tuple[float, PairedCounts]]) -> PairedCounts:
    """Pairs sampled at unequal inclusion probabilities, each above 0, as one weighted check."""
    parts = [(p, pairs) for p, pairs in levels if pairs.n or pairs.excluded]
    if not parts:
        return PairedCounts(YES_NO, (0, 0, 0))
    least = min(p for p, _ in parts)
    return PairedCounts(
        tuple(x for _, pairs in parts for x in pairs.support),
        tuple(n for _, pairs in parts for n in pairs.counts),
        sum(pairs.excluded for _, pairs in parts),
        tuple(least / p for p, pairs in parts for _ in pairs.support) if len(parts) > 1 else None,
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """What one check is held against: `tolerance` in (0, 1) as a difference, and the alphas of `budget`."""

    tolerance: float
    fail_alpha: float
    pass_alpha: float

    @property
    def fail_threshold(self) -> float:
        """log(1 / fail_alpha)."""
        return -float(np.log(self.fail_alpha))

    @property
    def clear_threshold(self) -> float:
        """log(1 / pass_alpha)."""
        return -float(np.log(self.pass_alpha))


@dataclass(frozen=True, slots=True)
class PairedResult:
    """One check at one look. `harmful`: fail. `clear`: the upper bound lies under the tolerance on both anchors.

    `latest_log_all_clear` is held against `latest_threshold`, which rises with the window's number.
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


def evidences(support: tuple[float, ...], counts: Counts, tolerance: float | Floats) -> tuple[Floats, Floats]:
    """Log evidence of harm and of all-clear for a grid of checks: counts (..., J), both results (...).

    Checks of one signal share a tolerance; a call per signal is fastest. Equal to one-by-one, bit for bit.
    """
    return log_evidence(support, counts, tolerance), log_all_clear(support, counts, tolerance)


def assess_pairs(
    pairs: PairedCounts,
    bar: Bar,
    rule: WindowRule,
    window: WindowState,
    *,
    pairs_per_second: float | None = None,
) -> PairedResult:
    """Every number of one check: `pairs` since the deploy; `window` of this check alone (batch shape ()).

    The window's counts are on the same support. The forecast is None once settled, and where it is never.
    IntegrityError if the window holds more than all pairs.
    """
    recent = _recent(pairs, window)
    number = int(window.window)
    share, bound = float(rule.share(number)), float(rule.threshold(number))
    weights, tolerance = pairs.weights, bar.tolerance
    harm = float(log_evidence(pairs.support, pairs.counts, tolerance, weights=weights))
    clear = float(log_all_clear(pairs.support, pairs.counts, tolerance, weights=weights))
    latest_harm = float(log_evidence(pairs.support, recent, tolerance, weights=weights))
    latest_clear = float(log_all_clear(pairs.support, recent, tolerance, weights=weights))
    failed = harm >= bar.fail_threshold
    passed = not failed and clear >= bar.clear_threshold and latest_clear >= bound
    return PairedResult(
        pairs=pairs.n,
        excluded=pairs.excluded,
        log_evidence=harm,
        log_all_clear=clear,
        harm=interval(pairs.support, pairs.counts, bar.fail_alpha, alpha_upper=bar.pass_alpha, weights=weights),
        latest=interval(pairs.support, recent, share, alpha_upper=share, weights=weights),
        latest_pairs=int(recent.sum()),
        latest_log_evidence=latest_harm,
        latest_log_all_clear=latest_clear,
        latest_threshold=bound,
        need=None if failed or passed else _need(pairs, recent, bar, bound, pairs_per_second),
        harmful=failed,
        clear=passed,
    )


def _recent(pairs: PairedCounts, window: WindowState) -> Ints:
    recent = window.counts
    if recent.shape != (len(pairs.support),) or np.any(recent > np.asarray(pairs.counts)):
        raise IntegrityError("the latest window holds more pairs than there are since the deploy")
    return recent


def _need(pairs: PairedCounts, recent: Ints, bar: Bar, bound: float, pace: float | None) -> Need | None:
    """The longer of the forecasts of both anchors where the check heads for a pass, else the fail's."""
    tolerance, fail = bar.tolerance, bar.fail_threshold
    whole = needs(
        pairs.support,
        pairs.counts,
        tolerance,
        fail,
        bar.clear_threshold,
        pairs_per_second=pace,
        weights=pairs.weights,
    )
    if whole is None or whole.towards == "fail":
        return whole
    latest = needs(pairs.support, recent, tolerance, np.inf, bound, pairs_per_second=pace, weights=pairs.weights)
    return None if latest is None else max(whole, latest, key=lambda need: need.pairs)
