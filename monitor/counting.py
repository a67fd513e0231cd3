"""The inner loop of the live path, compiled: one increment per event and signal."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monitor.facts import Counts


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
