"""Mean pairs to e = 10,000 for a build that fails 3 % where the reference fails 2 %, 0.5 % only there."""

from __future__ import annotations

import math

import numpy as np

from monitor.evidence.bets import YES_NO, log_evidence
from tests.bench.detection import arms, ours
from tests.bench.detection.row import Row
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

WORSE, BETTER, BAR = 0.015, 0.005, math.log(1e4)
AT_ZERO_GOAL, AT_HALF_GOAL, UNPAIRED = 3_950.0, 1.15, 8_921
CASES = ((0.0, 5, 2_400), (0.005, 25, 2_400))
"""Tolerance, pairs a block, blocks."""

CHUNK = 200


def row(size: Size, seed: int) -> Row:
    """At tolerance 0, and at half a point by the bound."""
    found = [_pairs(tolerance, block, blocks, size.paired, seed) for tolerance, block, blocks in CASES]
    bounds = [BAR / growth(tolerance) for tolerance, _, _ in CASES]
    rows = [
        (f"{100 * case[0]:g} points", f"{bound:,.0f}", f"{mean:,.0f}", f"{mean / bound:.3f}")
        for case, bound, mean in zip(CASES, bounds, found, strict=True)
    ]
    text = (
        f"{size.paired:,} runs; a miss counts as the longest run. The bound is log(10,000) over the growth a pair of\n"
        f"the best fixed bet, by one who knows all rates. Unpaired, tolerance 0 takes {UNPAIRED:,} units an arm.\n\n"
        + table(("tolerance", "bound", "mean pairs", "ratio"), rows)
    )
    figures = [
        Figure("paired_mean_pairs_at_tolerance_0", found[0], "pairs", AT_ZERO_GOAL),
        Figure("paired_mean_pairs_at_half_a_point_by_bound", found[1] / bounds[1], "times", AT_HALF_GOAL),
    ]
    return Row("Pairs until a failing build fails", figures, text)


def growth(tolerance: float) -> float:
    """Growth of log wealth a pair of the best bet."""
    bets = np.linspace(1e-4, 1 / (1 + tolerance) - 1e-4, 20_000)
    chances = ((BETTER, -1.0), (1 - WORSE - BETTER, 0.0), (WORSE, 1.0))
    return float(np.max(sum(chance * np.log1p(bets * (x - tolerance)) for chance, x in chances)))


def _pairs(tolerance: float, block: int, blocks: int, runs: int, seed: int) -> float:
    total = 0.0
    for begin in range(0, runs, CHUNK):
        some = min(CHUNK, runs - begin)
        sums = arms.pairs(WORSE, BETTER, some, blocks, block, seed + begin).cumsum(axis=0)
        first = ours.reached(log_evidence(YES_NO, sums, tolerance), BAR)
        total += float(np.where(first == 0, blocks, first).sum()) * block
    return total / runs
