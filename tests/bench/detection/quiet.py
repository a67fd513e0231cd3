"""Does a long quiet time make the detector slow? The same change after none and after 1,000,000 units."""

from __future__ import annotations

import numpy as np

from monitor.evidence import cusum, levels
from tests.bench.detection import chart, ours, river_detectors, streams
from tests.bench.detection.row import Row
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

UNITS, ALPHA, HORIZON, GOAL = 10_000, 0.05, 20_000, 1.10
BEFORE, AFTER = 0.02, 0.04
LONG, BLOCK = 1_000_000, 20
SLOW_LONG = 100_000


def row(size: Size, seed: int) -> Row:
    """The ratio, and the delay by the width of a block."""
    bank, runs = levels.known_rate(BEFORE, UNITS, ALPHA), size.quiet
    changed = streams.steady(AFTER, runs, HORIZON, seed)
    none = ours.median(ours.first_alarms(bank, changed), HORIZON)
    state, alarms = _quiet(bank, runs, seed + 1)
    after = ours.median(_on(bank, state, changed), HORIZON)
    slow = min(size.slow, 40)
    found = []
    for quiet in (0, SLOW_LONG):
        past = streams.steady(BEFORE, slow, quiet, seed + 2)
        stream = np.concatenate([past, changed[:slow]], axis=1)
        found.append(ours.median(river_detectors.first_alarms(river_detectors.adwin, stream, quiet), HORIZON))

    def said(delay: float) -> str:
        return "missed" if delay >= HORIZON else f"{delay:,.0f}"

    rows = [
        ("ours", f"{none:,.0f}", f"{after:,.0f} after {LONG:,}", f"{after / none:.2f}"),
        ("ADWIN as shipped", said(found[0]), f"{said(found[1])} after {SLOW_LONG:,}", ""),
    ]
    widths = (1, 5, 10, 20, 50, 100, 200)
    delays = [(float(w), _of_width(bank, changed, w)) for w in widths]
    text = (
        f"2 % becomes 4 %, {runs:,} streams. While quiet, ours alarmed {alarms / runs / (LONG / UNITS):.3f} times in\n"
        "10,000 units on average and started anew each time.\n\n"
        + table(("detector", "delay after none", "delay after quiet", "ratio"), rows)
        + "\nEvidence blocks cost delay: a look comes only when a block is sealed.\n\n"
        + table(("units a block", "median delay"), [(f"{w:.0f}", f"{d:,.0f}") for w, d in delays])
    )
    drawn = chart.lines("Delay by the width of an evidence block", "units a block", "units", {"2 % to 4 %": delays})
    figures = [Figure("delay_after_1000000_quiet_units_by_none", after / none, "times", GOAL)]
    return Row("Delay after a long quiet time", figures, text, {"detection-widths": drawn})


def _quiet(bank: levels.Bank, runs: int, seed: int) -> tuple[cusum.BankState, int]:
    """The state after the quiet time, read in blocks of twenty, and the alarms in it."""
    rng, state, alarms = np.random.default_rng(seed), cusum.fresh(bank, (runs,)), 0
    for block in range(LONG // BLOCK):
        state = cusum.update(bank, state, rng.binomial(BLOCK, BEFORE, runs), np.full(runs, BLOCK), block)
        hit = cusum.alarmed(bank, state)
        if hit.any():
            alarms, state = alarms + int(hit.sum()), cusum.restart(state, hit)
    return state, alarms


def _on(bank: levels.Bank, state: cusum.BankState, stream: streams.Stream) -> np.ndarray:
    """Units to the first alarm, going on from a state."""
    found = np.full(len(stream), np.inf)
    for t, yes in enumerate(np.ascontiguousarray(stream.T)):
        state = cusum.update(bank, state, yes, np.ones(len(stream), np.int64), t)
        found[cusum.alarmed(bank, state) & np.isinf(found)] = t + 1
        if np.isfinite(found).all():
            break
    return found


def _of_width(bank: levels.Bank, stream: streams.Stream, width: int) -> float:
    ends = np.arange(width, stream.shape[1] + 1, width)
    return ours.median(ours.first_alarms(bank, stream, ends), HORIZON)
