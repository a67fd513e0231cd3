"""A tail 20 % longer against a concurrent control, and a load that doubles while the service stays as it is.

In the bins, in the blocks of a young build, and with the tolerance of a plan that says nothing about latencies.
"""

from __future__ import annotations

import math

import numpy as np

from monitor.control import QUANTILE, bins
from monitor.evidence import tail
from monitor.plan import SignalRule
from monitor.signals import latency
from tests.bench.detection import judge
from tests.bench.detection.row import Row
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

ALPHA, SLOWER = 0.05, 1.2
RATIO_GOAL = 1 / 3
EDGES = np.array(latency.EDGES["total"]) / 1_000
"""Edges in milliseconds, a third apart."""

TOLERANCE = SignalRule().tolerance
SHIFT, PART = bins("total", TOLERANCE)

CENTRE, SPREAD = np.log(np.array([400.0, 900.0, 700.0, 1_600.0])), 0.5
"""Log medians of four strata: short and long requests at low load, then at high load."""

LOW, HIGH = np.array([0.45, 0.35, 0.12, 0.08]), np.array([0.10, 0.08, 0.45, 0.37])
"""Shares of the strata at usual and at doubled load."""

PER_MINUTE, MINUTES, FEW = (20, 50, 100, 200), 240, 100
"""Requests an arm and minute; the goal is held at 100."""


def row(size: Size, seed: int) -> Row:
    """Requests until found, ours by the judge's; alarms when only the load doubles."""
    rows, ratio = [], math.nan
    for pace in PER_MINUTE:
        ours, judged = _found(pace, min(size.latency, 200), seed)
        rows.append((str(pace), f"{ours:,.0f}", f"{judged:,.0f}", f"{ours / judged:.2f}"))
        ratio = ours / judged if pace == FEW else ratio
    alarms = _doubled(size.latency, seed + 1)
    text = (
        f"Log-normal latencies in four strata of load and length, in a plan's {len(EDGES) + 1} log-spaced bins; the\n"
        f"arm's latency is {SLOWER - 1:.0%} longer throughout, where {TOLERANCE:.0%} is tolerated. Ours reads sealed\n"
        f"minutes, as of any build in its first three hours, promised {ALPHA:.0%} over all looks. The judge compares\n"
        "sixty one-minute p95s of either arm, every 30 minutes from the sixtieth on. Requests of both\n"
        "arms until found, medians:\n\n"
        + table(("requests an arm and minute", "ours", "judge", "ours by judge"), rows)
        + f"\nLoad doubles in the middle of {MINUTES} minutes, the service stays as it is: {alarms} of\n"
        f"{size.latency:,} runs alarm (promised: at most {ALPHA:.0%}).\n"
    )
    figures = [
        Figure("latency_requests_by_judge", ratio, "times", RATIO_GOAL),
        Figure("latency_alarms_when_load_doubles", alarms / size.latency, "of runs", ALPHA),
    ]
    return Row("Latency against a control", figures, text)


def _minutes(
    rng: np.random.Generator, pace: int, minutes: int, factor: float, doubled: int
) -> tuple[np.ndarray, np.ndarray]:
    """Bins by minute and stratum (T, 4, B), and each minute's p95."""
    paces = np.where(np.arange(minutes) < doubled, pace, 2 * pace)
    bins, p95 = np.zeros((minutes, 4, len(EDGES) + 1), np.int64), np.zeros(minutes)
    for minute, n in enumerate(paces.tolist()):
        stratum = rng.choice(4, n, p=LOW if minute < doubled else HIGH)
        value = factor * np.exp(rng.normal(CENTRE[stratum], SPREAD))
        np.add.at(bins[minute], (stratum, np.searchsorted(EDGES, value)), 1)
        p95[minute] = np.quantile(value, QUANTILE)
    return bins, p95


def _evidence(here: np.ndarray, control: np.ndarray) -> np.ndarray:
    return np.asarray(tail.log_evidence(here, control, QUANTILE, shift=SHIFT, part=PART))


def _found(pace: int, runs: int, seed: int) -> tuple[float, float]:
    """Median requests of both arms until ours and the judge's find the longer tail."""
    rng, found, judged = np.random.default_rng(seed + pace), np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        here, points = _minutes(rng, pace, MINUTES, SLOWER, MINUTES)
        control, past = _minutes(rng, pace, MINUTES, 1.0, MINUTES)
        evidence = _evidence(here, control) >= math.log(1 / ALPHA)
        found[run] = 2 * pace * (evidence.argmax() + 1 if evidence.any() else MINUTES)
        minutes, said = judge.looks(points[None], past[None])
        judged[run] = 2 * pace * (minutes[int(said[:, 0].argmax())] if said.any() else MINUTES)
    return float(np.median(found)), float(np.median(judged))


def _doubled(runs: int, seed: int) -> int:
    """Runs that alarm though nothing but the load changed."""
    rng, alarms = np.random.default_rng(seed), 0
    for _ in range(runs):
        here, _ = _minutes(rng, 40, MINUTES, 1.0, MINUTES // 2)
        control, _ = _minutes(rng, 40, MINUTES, 1.0, MINUTES // 2)
        alarms += bool(_evidence(here, control).max() >= math.log(1 / ALPHA))
    return alarms
