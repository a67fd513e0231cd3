"""Shifts between categories: who is held against whom, that merging is by averages, and which category is named."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.errors import IntegrityError
from monitor.evidence.category import averaged, named, one_against_rest


def test_each_category_is_asked_whether_it_rose_and_whether_it_fell() -> None:
    counts = np.array([[7, 2], [5, 0]])
    assert one_against_rest(counts, [10, 6]).tolist() == [
        [[7, 10], [5, 6]],
        [[3, 10], [1, 6]],
        [[2, 10], [0, 6]],
        [[8, 10], [6, 6]],
    ]


@pytest.mark.parametrize(("counts", "units"), [([[3, -1]], [5]), ([[3, 4]], [6])])
def test_more_units_in_categories_than_there_are_cannot_be(counts: list[list[int]], units: list[int]) -> None:
    with pytest.raises(IntegrityError, match="categories"):
        one_against_rest(counts, units)


def test_the_whole_is_the_mean_of_its_parts_and_never_less_than_bonferroni() -> None:
    logs = np.log([1.0, 8.0, 0.5, 0.1])
    assert averaged(logs) == pytest.approx(math.log(9.6 / 4))
    assert averaged(logs) >= logs.max() - math.log(4)
    assert averaged([900.0, -900.0]) == pytest.approx(900.0 - math.log(2))
    assert averaged([-math.inf, -math.inf]) == -math.inf


def test_all_that_are_shown_are_named_and_else_the_largest_is_pointed_at() -> None:
    bar = math.log(100)
    assert named(np.array([0.0, 7.0, 9.0, 1.0]), bar) == (2, 1)
    assert named(np.array([0.0, 5.5, 5.0, 1.0]), bar) == (1,)
