"""Pairs until a harmless build passes on both anchors, and how often a harmful one does."""

from __future__ import annotations

import math

import numpy as np

from monitor.evidence import latest
from monitor.evidence.bets import YES_NO, log_all_clear
from tests.bench.detection import arms
from tests.bench.detection.row import Row, upper_limit
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

TOLERANCE, ALPHA, DISCORDANT = 0.005, 0.05, 0.005
PAIRS_GOAL = 3_000.0
RULE = latest.WindowRule(latest.size_for(TOLERANCE, ALPHA), ALPHA)
HARM = (0.0125, 0.0025)
"""Worse and better of a build at twice the tolerance."""

CLEAN, LOOK, LOOKS = 1_000_000, 500, 80
CHUNK = 1_000


def row(size: Size, seed: int) -> Row:
    """Speed at equal rates; wrong passes from the start, and after a long clean time."""
    pairs = _pairs(size.paired, seed)
    wrong = [_wrong(size.nulls, clean, seed + 1) for clean in (0, CLEAN)]
    limits = [upper_limit(bad, size.nulls) for bad in wrong]
    rows = [
        (name, f"{bad / size.nulls:.2%}", f"{limit:.2%}")
        for name, bad, limit in zip(("from the start", f"after {CLEAN:,} clean pairs"), wrong, limits, strict=True)
    ]
    text = (
        f"Tolerance {100 * TOLERANCE:g} points, {100 * DISCORDANT:g} % discordant each way, e = 20 on both anchors\n"
        f"(since the deploy, and the latest window): median {np.median(pairs):,.0f} pairs, mean {pairs.mean():,.0f},\n"
        f"nine in ten within {np.quantile(pairs, 0.9):,.0f} ({size.paired:,} runs).\n\n"
        f"A build at twice the tolerance, {size.nulls:,} runs, {LOOK * LOOKS:,} pairs each, a look every {LOOK}; a\n"
        "wrong pass is one whose latest window holds only harmful pairs:\n\n"
        + table(("harm", "passed", "99 % upper limit"), rows)
    )
    figures = [
        Figure("all_clear_median_pairs", float(np.median(pairs)), "pairs", PAIRS_GOAL),
        Figure("wrong_passes_99_upper", limits[0], "of runs", ALPHA),
        Figure("wrong_passes_after_1000000_clean_pairs_99_upper", limits[1], "of runs", ALPHA),
    ]
    return Row("All-clear", figures, text)


def _clear(sums: np.ndarray, state: latest.WindowState) -> np.ndarray:
    whole = log_all_clear(YES_NO, sums, TOLERANCE) >= -math.log(ALPHA)
    return np.asarray(whole & (log_all_clear(YES_NO, state.counts, TOLERANCE) >= RULE.threshold(state.window)))


def _pairs(runs: int, seed: int, block: int = 20, blocks: int = 1_000) -> np.ndarray:
    """Pairs each run needs; the longest run for a miss."""
    found = np.full(runs, float(block * blocks))
    state, sums = latest.fresh(3, (runs,)), np.zeros((runs, 3), np.int64)
    rng, waiting = np.random.default_rng(seed), np.ones(runs, np.bool_)
    for number in range(blocks):
        counts = rng.multinomial(block, (DISCORDANT, 1 - 2 * DISCORDANT, DISCORDANT), size=runs)
        state, sums = latest.advance(RULE, state, counts, number), sums + counts
        clear = waiting & _clear(sums, state)
        found[clear], waiting = (number + 1) * block, waiting & ~clear
        if not waiting.any():
            break
    return found


def _wrong(runs: int, clean: int, seed: int) -> int:
    """Runs that passed in a window that holds harmful pairs only."""
    wrong = 0
    for begin in range(0, runs, CHUNK):
        some = min(CHUNK, runs - begin)
        state, sums, number = latest.fresh(3, (some,)), np.zeros((some, 3), np.int64), 0
        rng, ever = np.random.default_rng(seed + begin), np.zeros(some, np.bool_)
        for _ in range(clean // 2_500):
            counts = rng.multinomial(2_500, (DISCORDANT, 1 - 2 * DISCORDANT, DISCORDANT), size=some)
            state, sums, number = latest.advance(RULE, state, counts, number), sums + counts, number + 1
        change = number
        for _ in range(LOOKS):
            counts = arms.pairs(*HARM, some, 1, LOOK, int(rng.integers(2**62)))[0]
            state, sums, number = latest.advance(RULE, state, counts, number), sums + counts, number + 1
            ever |= (state.start >= change) & _clear(sums, state)
        wrong += int(ever.sum())
    return wrong
