"""Counting a run's events, sparse and sorted: the inner loop of the live path, compiled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monitor.facts import Counts, Layout


@dataclass(frozen=True, slots=True)
class Hits:
    """What happened at the places of a run, in the order in which it came.

    Event i happened at place `index[i]`, in cell `cells[i, d]` of definition d, and counts as a unit if `units[i]`.
    """

    index: NDArray[np.int64]
    cells: NDArray[np.int16]
    units: NDArray[np.bool_]


def sparse(
    layout: Layout, hits: Hits, singles: NDArray[np.int64], row_place: NDArray[np.int64], row_unit: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.uint32], Counts]:
    """Where each row's counts begin, their cells (ascending within a row), and the counts.

    Row r counts what happened at place `row_place[r]`, only units if `row_unit[r]`. `singles` are further counts,
    each a row, a cell among all of the layout's and a number, ascending by row.
    """
    places = int(row_place.max(initial=-1)) + 1
    order = np.argsort(hits.index, kind="stable")
    starts = np.searchsorted(hits.index[order], np.arange(places + 1))
    room = 2 * hits.cells.size + len(singles)
    at, n = np.empty(room, dtype=np.uint32), np.empty(room, dtype=np.int64)
    begins = np.zeros(len(row_place) + 1, dtype=np.int64)
    total = int(layout.offsets[-1])
    _count(hits.cells, hits.units, layout.offsets, order, starts, singles, row_place, row_unit, total, begins, at, n)
    return begins, at[: begins[-1]], n[: begins[-1]]


@njit(cache=True)
def _count(
    cells: NDArray[np.int16],
    units: NDArray[np.bool_],
    offsets: NDArray[np.int64],
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
    singles: NDArray[np.int64],
    row_place: NDArray[np.int64],
    row_unit: NDArray[np.bool_],
    total: int,
    begins: NDArray[np.int64],
    at: NDArray[np.uint32],
    n: Counts,
) -> None:
    """Counts each row in one dense vector, of which only the touched cells are read out and cleared again."""
    dense = np.zeros(total, dtype=np.int64)
    touched = np.empty(total, dtype=np.int64)
    single, out = 0, 0
    for row in range(len(row_place)):
        found = 0
        for i in order[starts[row_place[row]] : starts[row_place[row] + 1]]:
            if row_unit[row] and not units[i]:
                continue
            for d in range(cells.shape[1]):
                cell = offsets[d] + cells[i, d]
                if dense[cell] == 0:
                    touched[found] = cell
                    found += 1
                dense[cell] += 1
        while single < len(singles) and singles[single, 0] == row:
            cell = singles[single, 1]
            if dense[cell] == 0:
                touched[found] = cell
                found += 1
            dense[cell] += singles[single, 2]
            single += 1
        for cell in np.sort(touched[:found]):
            at[out], n[out] = cell, dense[cell]
            dense[cell] = 0
            out += 1
        begins[row + 1] = out
