"""Live units, yes or no: seeded streams that know nothing of who will read them. Shape (runs, units), 0 or 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Stream = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
CHUNK = 500


def steady(rate: npt.ArrayLike, runs: int, units: int, seed: int) -> Stream:
    """Independent units at one rate, or one rate a run."""
    rng = np.random.default_rng(seed)
    each = np.broadcast_to(np.asarray(rate, np.float32), (runs,))
    found = np.empty((runs, units), np.uint8)
    for begin in range(0, runs, CHUNK):
        part = each[begin : begin + CHUNK, None]
        found[begin : begin + CHUNK] = rng.random((len(part), units), dtype=np.float32) < part
    return found


def changing(before: float, after: float, quiet: int, runs: int, units: int, seed: int) -> Stream:
    """The rate steps from `before` to `after` when `quiet` units are past."""
    first, second = steady(before, runs, quiet, seed), steady(after, runs, units - quiet, seed + 1)
    return np.concatenate([first, second], axis=1)


def conversations(rate: float, runs: int, units: int, seed: int, turns: int = 6) -> tuple[Stream, Stream]:
    """Conversations of six turns that fail together (within one, failures correlate by 0.5).

    First every conversation's drawn turn, one a unit; then all turns, one after the other.
    """
    rng = np.random.default_rng(seed)
    drawn = np.empty((runs, units), np.uint8)
    every = np.empty((runs, units), np.uint8)
    for run in range(runs):
        own = rng.beta(rate, 1.0 - rate, units)
        table = rng.random((units, turns)) < own[:, None]
        drawn[run] = table[np.arange(units), rng.integers(0, turns, units)]
        every[run] = table[: -(-units // turns)].reshape(-1)[:units]
    return drawn, every


def bursts(runs: int, units: int, seed: int) -> Ints:
    """Ends of blocks with heavy-tailed sizes between 1 and 800 units, the same for all runs; the last is `units`."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(800, np.ceil(rng.pareto(0.9, units) * 4 + 1)).astype(np.int64)
    ends = np.cumsum(sizes)
    return np.append(ends[ends < units], units)


def late(stream: Stream, block: int, horizon: float, seed: int) -> Stream:
    """What is sealed of a stream whose failures come after exponential times, those beyond the horizon never.

    Times are in blocks with mean one; a block is sealed `horizon` blocks later.
    """
    rng = np.random.default_rng(seed)
    kept = stream.copy()
    for begin in range(0, len(stream), CHUNK):
        part = kept[begin : begin + CHUNK]
        part[rng.exponential(1.0, part.shape) > horizon] = 0
    return kept
