"""How long users waited: log-spaced bins within strata of load and prompt length."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monitor.model import Definition, Event, Output, Timings
from monitor.signals.columns import Columns
from monitor.signals.family import Cells, one_by_one, sealed

BINS = 48
LOADS = (4, 16)
PROMPTS = (512, 4_096)
STRATA = (len(LOADS) + 1) * (len(PROMPTS) + 1)
MOST = 1 << 53
NO_TIMING = STRATA * BINS
SIGNALS = ("first_token", "per_token", "total")

# Whole microseconds. A request takes 1 ms to 600 s, a token a tenth of that; the first and last bins are open.
_EDGES = tuple(round(1_000 * 600_000 ** (k / (BINS - 2))) for k in range(BINS - 1))
EDGES: dict[str, tuple[int, ...]] = {
    "first_token": _EDGES,
    "per_token": tuple(edge // 10 for edge in _EDGES),
    "total": _EDGES,
}
# Durations come in milliseconds. Dividing the edges, not multiplying durations, keeps each edge in its own bin.
_MILLISECONDS = {signal: tuple(edge / 1_000 for edge in EDGES[signal]) for signal in SIGNALS}
_EDGE_ARRAYS = np.array([_MILLISECONDS[signal] for signal in SIGNALS], dtype=np.float64)
_LOAD_ARRAY = np.array(LOADS, dtype=np.float64)
_PROMPT_ARRAY = np.array(PROMPTS, dtype=np.float64)
_CELLS = tuple(
    f"l{load}p{prompt}:{k}" for load in range(len(LOADS) + 1) for prompt in range(len(PROMPTS) + 1) for k in range(BINS)
)


class Bin(NamedTuple):
    """What one cell stands for: its stratum, and its bounds in µs (lower inclusive, None where open)."""

    load: int
    prompt: int
    lower: int | None
    upper: int | None


def bin_of(signal: str, cell: int) -> Bin | None:
    """What a cell of a latency signal stands for; None for `no_timing`."""
    if cell == NO_TIMING:
        return None
    stratum, k = divmod(cell, BINS)
    load, prompt = divmod(stratum, len(PROMPTS) + 1)
    edges = EDGES[signal]
    return Bin(load, prompt, edges[k - 1] if k else None, edges[k] if k < BINS - 1 else None)


class Latency:
    """Time to first token, per further token, and in total; unknown load and length count as the lowest stratum.

    Timings belong to the logged output, so any other output has none. Bins have no yes or no: shifts are read
    within a stratum, so that more traffic or longer prompts are no regression.
    """

    def __init__(self) -> None:
        self.definitions: tuple[Definition, ...] = tuple(
            sealed(Definition(signal, "latency", (*_CELLS, "no_timing"), unit="us"), _bytes(signal))
            for signal in SIGNALS
        )

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]:
        timings = event.timings
        if timings is None or output is not event.output:
            return (NO_TIMING, NO_TIMING, NO_TIMING)
        running = 0 if event.load is None else event.load.running or 0
        stratum = bisect_right(LOADS, running) * (len(PROMPTS) + 1)
        stratum += bisect_right(PROMPTS, event.prompt_tokens or 0)
        first, total = timings.first_token, timings.total
        values = (first, _per_token(first, total, event.completion_tokens), total)
        return tuple(_cell(signal, stratum, value) for signal, value in zip(SIGNALS, values, strict=True))

    def judge_all(self, columns: Columns) -> Cells:
        events = columns.events
        timings = [event.timings for event in events]
        if None not in timings:
            return self._timed(events, timings)  # type: ignore[arg-type]
        cells = np.full((len(events), 3), NO_TIMING, dtype=np.int16)
        rows = [row for row, timing in enumerate(timings) if timing is not None]
        if rows:
            cells[rows] = self._timed([events[row] for row in rows], [timings[row] for row in rows])  # type: ignore[misc]
        return cells

    def _timed(self, timed: Sequence[Event], timings: Sequence[Timings]) -> Cells:
        measured: tuple[list[float | None], ...] = (
            [timing.first_token for timing in timings],
            [timing.total for timing in timings],
            [event.completion_tokens for event in timed],
            [event.prompt_tokens or 0 for event in timed],
            [0 if (load := event.load) is None else load.running or 0 for event in timed],
        )
        numbers = np.empty((5, len(timed)), dtype=np.float64)
        try:
            for row, column in enumerate(measured):
                numbers[row] = column
        except OverflowError:  # a count beyond what a float holds
            return one_by_one(self, timed)
        cells = np.empty((len(timed), 3), dtype=np.int16)
        _bins(numbers, _LOAD_ARRAY, _PROMPT_ARRAY, _EDGE_ARRAYS, cells)
        return cells


def _bytes(signal: str) -> bytes:
    return repr((LOADS, PROMPTS, EDGES[signal])).encode()


def _per_token(first: float | None, total: float | None, tokens: int | None) -> float | None:
    if first is None or total is None or tokens is None or not 2 <= tokens < MOST:
        return None
    return (total - first) / (float(tokens) - 1.0)


def _cell(signal: str, stratum: int, milliseconds: float | None) -> int:
    if milliseconds is None or not 0 <= milliseconds < float("inf"):
        return NO_TIMING
    return stratum * BINS + bisect_right(_MILLISECONDS[signal], milliseconds)


@njit(cache=True)
def _bins(
    measured: NDArray[np.float64],
    loads: NDArray[np.float64],
    prompts: NDArray[np.float64],
    edges: NDArray[np.float64],
    cells: Cells,
) -> None:
    """The cells of each column of first token, total, completion tokens, prompt tokens and requests running.

    What is unknown of the first three is NaN.
    """
    for row in range(measured.shape[1]):
        first, total, tokens, prompt, running = measured[:, row]
        base = _places(loads, running) * (len(prompts) + 1) + _places(prompts, prompt)
        per_token = (total - first) / (tokens - 1.0) if 2 <= tokens < MOST else np.nan
        for column, value in enumerate((first, per_token, total)):
            timed = 0 <= value < np.inf
            cells[row, column] = base * BINS + _places(edges[column], value) if timed else NO_TIMING


@njit(cache=True)
def _places(edges: NDArray[np.float64], value: float) -> int:
    """How many of the ascending edges are at most `value`."""
    low, high = 0, len(edges)
    while low < high:
        middle = (low + high) // 2
        if value < edges[middle]:
            high = middle
        else:
            low = middle + 1
    return low
