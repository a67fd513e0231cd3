"""From pair facts to the table of one check: harm by block, on one support, with what was excluded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.evidence.bets import SCORE_GRID, YES_NO
from monitor.evidence.joint import Direction, contrast
from monitor.evidence.paired import PairedCounts
from monitor.facts import Counts
from monitor.model import Arm, Missing
from monitor.pairs import JOINT, OWN, REASONS, SPAN, VALUES
from monitor.plan import ShadowRule
from monitor.sampling import LEVEL
from monitor.series import Series
from monitor.signals.score import GRID

_TWO_SIDED = ("refusal", "length")


def directions(signal: str) -> tuple[Direction, ...]:
    """Which shifts of a signal are harm: more of it, less of it, or both."""
    return ("more", "less") if signal in _TWO_SIDED else ("less",) if signal == "score" else ("more",)


@dataclass(frozen=True, slots=True)
class CheckTable:
    """One check's pairs by evidence block: `blocks` (T, J) on `support` (J,), harm positive.

    `weights` are set where inclusion levels differ. `excluded` counts pairs that lack an arm of the contrast though
    the signal applies to their request; `applicable` those to which it applies.
    """

    buckets: NDArray[np.int64]
    support: tuple[float, ...]
    weights: tuple[float, ...] | None
    blocks: Counts
    excluded: int
    applicable: int

    @property
    def pairs(self) -> PairedCounts:
        """All blocks together."""
        sums = tuple(self.blocks.sum(axis=0).tolist())
        return PairedCounts(self.support, sums, self.excluded, self.weights)


def check_table(series: Series, signal: str, direction: Direction, declared: Sequence[int]) -> CheckTable:
    """The table of a signal's gating contrast, logged against reference.

    `declared` are the plan's inclusion levels in millionths, before any epoch's factor. A block whose pairs all have
    one level is counted unweighted; only a block with several is weighted, by smallest declared over own. So the bets
    of old blocks never change when a level appears later.
    """
    harm = harm_counts(series.counts, signal, Arm.LOGGED, Arm.REFERENCE, direction)
    buckets, rows = np.unique(series.buckets, return_inverse=True)
    group, shares = grouped(series, declared)
    groups = len(shares)
    blocks = np.zeros((len(buckets), groups, harm.shape[-1]), dtype=np.int64)
    np.add.at(blocks, (rows, group), harm)
    base = SCORE_GRID if signal in VALUES else YES_NO
    weights = tuple(share for share in shares for _ in base) if groups > 1 else None
    total = int(series.counts[:, : cells_once(signal)].sum())
    silent = _reason(series.total, Arm.LOGGED, Missing.NO_SCHEMA)
    eligible = int(blocks.sum())
    applicable = max(total - silent, eligible)
    table = blocks.reshape(len(buckets), -1)
    return CheckTable(buckets, base * groups, weights, table, applicable - eligible, applicable)


def inclusion(series: Series, declared: Sequence[int]) -> NDArray[np.int64]:
    """The group of each row: 0 where its block has one inclusion level, else 1 and the place of its own among those
    declared."""
    _, rows, sizes = np.unique(series.buckets, return_inverse=True, return_counts=True)
    own = np.array([_declared(level, declared) for level in series.levels.tolist()], dtype=np.int64)
    return np.asarray(np.where(sizes[rows] > 1, 1 + np.searchsorted(declared, own), 0), np.int64)


def grouped(series: Series, declared: Sequence[int]) -> tuple[NDArray[np.int64], tuple[float, ...]]:
    """The group of each row and the weight of each group; a single one where all were included alike."""
    group = inclusion(series, declared)
    return group, inclusion_weights(declared) if (group > 0).any() else (1.0,)


def inclusion_weights(declared: Sequence[int]) -> tuple[float, ...]:
    """The weight of each group: 1, then smallest declared probability over its own."""
    return (1.0, *(declared[0] / level for level in declared))


def declared_levels(rule: ShadowRule) -> tuple[int, ...]:
    """The plan's inclusion levels in millionths, ascending; imported pairs are always included."""
    shares = {rule.share, 1.0, *rule.strata.values()}
    return tuple(sorted(round(share * LEVEL) for share in shares if share > 0))


def _declared(level: int, declared: Sequence[int]) -> int:
    """The declared level that an epoch's halvings made this one of."""
    doubled = level
    while doubled < declared[-1] and not any(abs(doubled - one) <= doubled // level for one in declared):
        doubled *= 2
    return min(declared, key=lambda one: abs(one - doubled))


def harm_counts(counts: Counts, signal: str, left: Arm, right: Arm, direction: Direction) -> Counts:
    """Counts (..., J) of left - right as harm: on the score grid for values, on (-1, 0, 1) for yes/no."""
    if signal not in VALUES:
        return contrast(joint(counts), left, right, direction)[0]
    at = {(Arm.LOGGED, Arm.REFERENCE): 0, (Arm.LOGGED, Arm.DEPLOYED): 1, (Arm.DEPLOYED, Arm.REFERENCE): 2}
    start = at.get((left, right), 3) * SPAN
    found = counts[..., start : start + SPAN - 1]
    return found if direction == "more" else found[..., ::-1]


def joint(counts: Counts) -> Counts:
    """The joint cells of a yes/no signal as shape (..., 3, 3, 3, 3)."""
    return counts[..., :JOINT].reshape(*counts.shape[:-1], 3, 3, 3, 3)


def own_values(counts: Counts) -> Counts:
    """How often the reference itself gave each point of the score grid, shape (..., 17)."""
    return counts[..., OWN : OWN + len(GRID)]


def cells_once(signal: str) -> int:
    """How many leading cells count every pair exactly once."""
    return SPAN if signal in VALUES else JOINT


def _reason(counts: Counts, arm: Arm, reason: Missing) -> int:
    return int(counts[len(counts) - len(REASONS) + REASONS.index(f"{arm}:{reason}")])
