"""Median delay against the oracle, known baseline, single-unit blocks."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.evidence import levels
from tests.bench.detection import chart, fisher, judge, oracle, ours, river_detectors, streams
from tests.bench.detection.row import Row
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

UNITS, ALPHA, QUIET, HORIZON = 10_000, 0.05, 2_017, 20_000
"""The change comes at an odd place, so that it meets nobody's window."""

RATES, FACTORS = (0.01, 0.02, 0.05), (1.5, 2.0, 3.0)
EVERY_GOAL, MOST_GOAL, MOST = 1.25, 1.20, 5
"""At most 1.25 in every cell, and at most 1.20 in five of the nine or more: in the fifth smallest."""

OTHERS = ("ADWIN", "ADWIN at 5 %", "PageHinkley", "PageHinkley at 5 %", "judge", "Fisher, best window")


@dataclass(frozen=True, slots=True)
class Dials:
    """river's detectors at 5 % of nulls of one rate."""

    adwin: float
    page_hinkley: float


def row(size: Size, seed: int) -> Row:
    """Nine cells."""
    ratios: dict[tuple[float, float], float] = {}
    rows, curves = [], {name: [] for name in ("ours", "oracle", *OTHERS)}
    for rate in RATES:
        nulls = streams.steady(rate, size.nulls, UNITS, seed + 1)
        dials = _dials(nulls[: size.slow])
        bank = levels.known_rate(rate, UNITS, ALPHA)
        for factor in FACTORS:
            after = rate * factor
            stream = streams.changing(rate, after, QUIET, size.delays, QUIET + HORIZON, seed + 2)
            bar = oracle.calibrated(nulls, rate, after, ALPHA)
            best = ours.median(oracle.first_alarms(stream, rate, after, bar, QUIET), HORIZON)
            mine = ours.median(ours.first_alarms(bank, stream, quiet=QUIET), HORIZON)
            ratios[rate, factor] = mine / best
            others = _others(stream, rate, dials, size)
            cell = f"{rate:.0%} x {factor:g}"
            rows.append(
                (cell, f"{best:,.0f}", f"{mine:,.0f}", f"{mine / best:.2f}", *(_times(v, best) for v in others))
            )
            for name, value in zip(curves, (mine, best, *others), strict=True):
                curves[name].append((float(len(rows)), value))
    figures = [Figure(f"delay_{100 * r:g}_x_{f:g}_by_oracle", v, "times", EVERY_GOAL) for (r, f), v in ratios.items()]
    figures.append(Figure("delay_by_oracle_in_most_cells", sorted(ratios.values())[MOST - 1], "times", MOST_GOAL))
    head = ("cell", "oracle, units", "ours, units", "ours by oracle", *OTHERS)
    text = (
        f"The rate rises after {QUIET:,} units; {size.delays:,} streams a cell, the first {size.slow} for river's\n"
        f"detectors and the judge. Misses count as {HORIZON:,}. The oracle knows both rates and is calibrated on\n"
        f"{size.nulls:,} nulls; ours knows the baseline only. Other detectors in multiples of the oracle; `missed` is\n"
        "a median beyond the horizon.\n\n" + table(head, rows)
    )
    named = {name: points for name, points in curves.items() if not name.startswith("Page")}
    drawn = chart.lines(
        "Median delay, cells as in the table",
        "cell (1 % x 1.5 ... 5 % x 3)",
        "units, log scale",
        named,
        logarithmic=True,
    )
    return Row("Delay, known baseline", figures, text, {"detection-delays": drawn})


def _dials(nulls: streams.Stream) -> Dials:
    return Dials(
        river_detectors.calibrated(river_detectors.adwin, nulls, ALPHA, 1e-12, 0.5),
        river_detectors.calibrated(river_detectors.page_hinkley, nulls, ALPHA, 400.0, 1.0),
    )


def _others(stream: streams.Stream, rate: float, dials: Dials, size: Size) -> list[float]:
    """Medians of the other detectors; river's and the judge's from the first streams."""
    some = stream[: size.slow]
    makes = (
        river_detectors.adwin,
        lambda: river_detectors.adwin(dials.adwin),
        river_detectors.page_hinkley,
        lambda: river_detectors.page_hinkley(dials.page_hinkley),
    )
    found = [ours.median(river_detectors.first_alarms(make, some, QUIET), HORIZON) for make in makes]
    past = streams.steady(rate, len(some), judge.POINTS * judge.PER_MINUTE, 99)
    found.append(ours.median(judge.first_alarms(some, past, QUIET), HORIZON))
    return [*found, fisher.best(stream, rate, ALPHA, QUIET, HORIZON)]


def _times(value: float, best: float) -> str:
    return "missed" if value >= HORIZON else f"{value / best:.2f}"
