"""Contrasts of arms from joint counts, by brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from monitor.errors import IntegrityError
from monitor.evidence.joint import checked, contrast, grown, outcomes
from monitor.model import Arm

JOINT = np.random.default_rng(8).integers(0, 9, (3, 3, 3, 3))
ARMS = (Arm.LOGGED, Arm.DEPLOYED, Arm.REFERENCE, Arm.SECOND)


def brute(left: Arm, right: Arm, present: tuple[Arm, ...] = ()) -> tuple[list[int], int]:
    """Counts of left - right and of excluded pairs, cell by cell."""
    counts, excluded = [0, 0, 0], 0
    for cell in itertools.product(range(3), repeat=4):
        outcome = dict(zip(ARMS, cell, strict=True))
        if any(outcome[arm] == 2 for arm in (left, right, *present)):
            excluded += int(JOINT[cell])
        else:
            counts[outcome[left] - outcome[right] + 1] += int(JOINT[cell])
    return counts, excluded


@pytest.mark.parametrize(("left", "right"), list(itertools.permutations(ARMS, 2)))
def test_every_contrast_equals_brute_force(left: Arm, right: Arm) -> None:
    counts, excluded = contrast(JOINT, left, right)
    assert (counts.tolist(), int(excluded)) == brute(left, right)
    fewer, _ = contrast(JOINT, left, right, "less")
    assert fewer.tolist() == counts.tolist()[::-1]


def test_on_pairs_with_three_arms_contributions_add_up() -> None:
    three = ARMS[:3]
    sums = {}
    for left, right in itertools.combinations(three, 2):
        counts, excluded = contrast(JOINT, left, right, present=three)
        assert (counts.tolist(), int(excluded)) == brute(left, right, three)
        sums[left, right] = int(counts[2] - counts[0])
    assert sums[ARMS[0], ARMS[2]] == sums[ARMS[0], ARMS[1]] + sums[ARMS[1], ARMS[2]]


def test_a_batch_of_cells_is_each_cell() -> None:
    batch = np.random.default_rng(9).integers(0, 9, (4, 5, 3, 3, 3, 3))
    counts, excluded = contrast(batch, Arm.LOGGED, Arm.REFERENCE)
    assert counts.shape == (4, 5, 3)
    alone, without = contrast(batch[2, 3], Arm.LOGGED, Arm.REFERENCE)
    assert (counts[2, 3].tolist(), excluded[2, 3]) == (alone.tolist(), without)


def test_one_arms_outcomes() -> None:
    assert outcomes(JOINT, Arm.REFERENCE).tolist() == [int(JOINT[:, :, i].sum()) for i in (0, 1)]


@pytest.mark.parametrize("counts", [[-1, 2], [0.5, 1.0]])
def test_counts_are_whole_and_not_negative(counts: list[float]) -> None:
    with pytest.raises(IntegrityError):
        checked(counts)


def test_a_shrinking_sum_cannot_be() -> None:
    assert grown([1, 2], [1, 5]).tolist() == [0, 3]
    with pytest.raises(IntegrityError, match="shrank"):
        grown([1, 2], [2, 1])


def test_another_layout_is_refused() -> None:
    with pytest.raises(IntegrityError, match="shape"):
        contrast(np.zeros((3, 3, 3), np.int64), Arm.LOGGED, Arm.REFERENCE)
