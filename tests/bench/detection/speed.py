"""How fast: updates of live detectors a second on one core, and a grid of 500 x 4 assessed after a bucket."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from monitor.evidence import cusum, levels
from monitor.evidence.bets import YES_NO
from monitor.evidence.check import evidences
from tests.bench.detection.row import Row
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

CELLS, ROUNDS, PER_BUCKET = 2_000, 200, 30
UPDATES_GOAL, ASSESS_GOAL = 2_000_000.0, 2.0


def row(size: Size, seed: int) -> Row:
    """CPU time of this process, medians of many rounds."""
    rng = np.random.default_rng(seed)
    rates = np.array([0.005, 0.01, 0.02, 0.05]).repeat(CELLS // 4)
    bank = levels.stacked([levels.known_rate(rate, 28_800, 0.05) for rate in rates.tolist()])
    state, units = cusum.fresh(bank, (CELLS,)), np.full(CELLS, PER_BUCKET)
    yes = rng.binomial(PER_BUCKET, rates, (ROUNDS, CELLS))
    update, assess = [], []
    for block in range(ROUNDS):
        began = time.perf_counter()
        state = cusum.update(bank, state, yes[block], units, block)
        middle = time.perf_counter()
        cusum.alarmed(bank, state)
        cusum.leading(bank, state)
        assess.append(time.perf_counter() - began)
        update.append(middle - began)
    pairs = rng.multinomial(2_000, (0.01, 0.97, 0.02), CELLS)
    paired = _median(lambda: evidences(YES_NO, pairs, 0.02))
    updates, live = CELLS / statistics.median(update), 1e3 * statistics.median(assess)
    rows = [
        ("live detectors, one bucket added", f"{1e3 * statistics.median(update):.2f}"),
        ("live detectors, one bucket added and all assessed", f"{live:.2f}"),
        ("paired checks, evidence of harm and of all-clear", f"{paired:.2f}"),
    ]
    text = f"A grid of 500 x 4, median of {ROUNDS} buckets.\n\n" + table(("what", "ms"), rows)
    figures = [
        Figure("slice_signal_updates_a_second", updates, "updates/s", UPDATES_GOAL, "higher"),
        Figure("grid_of_500_x_4_live_assessed", live, "ms", ASSESS_GOAL),
        Figure("grid_of_500_x_4_paired_assessed", paired, "ms", ASSESS_GOAL),
    ]
    return Row("Speed", figures, text)


def _median(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(25):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return 1e3 * statistics.median(spent)
