"""From joint outcome counts to the paired difference of two arms; vectorised over any batch of cells.

A joint cell array has shape (..., 3, 3, 3, 3): axes logged, deployed, reference, second reference; index 0 is no,
1 yes, 2 missing. Yes is the tested category (harm, or a refusal). A pair lacking an arm of the contrast is
excluded and counted, never imputed.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from monitor.errors import IntegrityError
from monitor.evidence.bets import Counts, Ints
from monitor.model import Arm

Direction = Literal["more", "less"]
AXES = {Arm.LOGGED: -4, Arm.DEPLOYED: -3, Arm.REFERENCE: -2, Arm.SECOND: -1}
MISSING = 2


def checked(counts: Counts) -> Ints:
    """The counts as 64-bit integers; IntegrityError for a negative or fractional one."""
    sums = np.asarray(counts)
    if not np.issubdtype(sums.dtype, np.integer):
        raise IntegrityError("counts are not integers")
    if np.any(sums < 0):
        raise IntegrityError("a count is negative")
    return sums.astype(np.int64)


def grown(before: Counts, after: Counts) -> Ints:
    """What was added between two looks at cumulative counts; IntegrityError where a sum shrank."""
    added = checked(after) - checked(before)
    if np.any(added < 0):
        raise IntegrityError("a sum shrank between two looks")
    return added


def contrast(
    joint: Counts, left: Arm, right: Arm, direction: Direction = "more", *, present: tuple[Arm, ...] = ()
) -> tuple[Ints, Ints]:
    """Counts of left - right on (-1, 0, 1), shape (..., 3), and of excluded pairs, shape (...).

    `direction` "less" gives right - left, so that harm is always positive. Pairs lacking an arm of `present` are
    excluded too. IntegrityError for negative counts or another shape.
    """
    cells = checked(joint)
    if cells.shape[-4:] != (3, 3, 3, 3):
        raise IntegrityError(f"joint counts have shape {cells.shape}, not (..., 3, 3, 3, 3)")
    total = cells.sum(axis=(-4, -3, -2, -1))
    for arm in present:
        cells = np.delete(cells, MISSING, axis=AXES[arm]) if arm not in (left, right) else cells
    dropped = tuple(axis for arm, axis in AXES.items() if arm not in (left, right))
    table = cells.sum(axis=dropped)
    if AXES[left] > AXES[right]:
        table = np.swapaxes(table, -1, -2)
    worse, better = table[..., 1, 0], table[..., 0, 1]
    if direction == "less":
        worse, better = better, worse
    same = table[..., 0, 0] + table[..., 1, 1]
    counts = np.stack([better, same, worse], axis=-1)
    return counts, total - counts.sum(axis=-1)


def outcomes(joint: Counts, arm: Arm) -> Ints:
    """Counts (no, yes) of one arm, shape (..., 2)."""
    cells = checked(joint)
    dropped = tuple(axis for other, axis in AXES.items() if other is not arm)
    return np.asarray(cells.sum(axis=dropped)[..., :MISSING])
