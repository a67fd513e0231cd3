"""What counts as a pair of a gating check: from joint outcomes or score differences to counts by harm.

The tested contrast is logged - reference: what users got against what they would have got. Harm is oriented so
that positive is worse: "more" tests logged - reference (a yes is bad, or more refusals), "less" tests
reference - logged (fewer refusals, or a drop in score). Concordant pairs count: a test on discordant pairs alone
rejects under its own null as soon as the tolerance is above zero.

`check` holds these counts against the plan's bar. Condition of all that follows: one pair a unit (see `bets`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.errors import IntegrityError
from monitor.evidence.bets import SCORE_GRID, YES_NO, Counts
from monitor.evidence.joint import Direction, checked, contrast
from monitor.model import Arm


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


def across_levels(levels: Iterable[tuple[float, PairedCounts]], least: float) -> PairedCounts:
    """Pairs sampled at unequal inclusion probabilities p, as one weighted check with weights least / p.

    `least` is the smallest p that the plan declares, above 0: were it the smallest seen so far, old bets would
    change their size later, and the guarantee would go. ValueError for a p under it. Give the levels in a fixed
    order, empty ones too, so that supports agree from look to look.
    """
    parts = list(levels)
    if least <= 0 or any(p < least for p, _ in parts):
        raise ValueError("an inclusion probability lies under the smallest declared one")
    return PairedCounts(
        tuple(x for _, pairs in parts for x in pairs.support),
        tuple(n for _, pairs in parts for n in pairs.counts),
        sum(pairs.excluded for _, pairs in parts),
        tuple(least / p for p, pairs in parts for _ in pairs.support),
    )
