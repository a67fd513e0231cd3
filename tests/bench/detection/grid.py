"""500 slices x 4 signals for 30 days: one promise over all 2,000, and what it costs in delay."""

from __future__ import annotations

import numpy as np

from monitor.evidence import cusum, levels
from tests.bench.detection.row import Row
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

SLICES, RATES = 500, (0.005, 0.01, 0.02, 0.05)
HOURS, PER_HOUR, ALPHA, FACTOR, CHANGED = 720, 40, 0.05, 2.0, 5
UNITS = HOURS * PER_HOUR
CELLS = SLICES * len(RATES)
DELAY_GOAL = 2.2
MONTHS = 10
"""Months simulated at once."""

CHANGE = 240
"""The hour of the change."""


def row(size: Size, seed: int) -> Row:
    """False alarms of the cells without a change, and the delay of the changed by the delay of watching them alone."""
    alone = [levels.known_rate(rate, UNITS, ALPHA) for rate in RATES]
    split = [levels.known_rate(rate, UNITS, ALPHA / CELLS) for rate in RATES]
    alarms, delays = 0, {name: [] for name in ("alone", "split")}
    months = max(MONTHS, size.months)
    for begin in range(0, months, MONTHS):
        found = _month(alone, split, seed + begin)
        alarms += found[0]
        for name, values in zip(delays, found[1:], strict=True):
            delays[name].append(values)
    medians = {name: np.median(np.concatenate(values), axis=0) for name, values in delays.items()}
    ratios = medians["split"] / medians["alone"]
    rows = [
        (f"{rate:.1%}", f"{a:,.0f}", f"{s:,.0f}", f"{s / a:.2f}")
        for rate, a, s in zip(RATES, medians["alone"], medians["split"], strict=True)
    ]
    text = (
        f"{months} months, {CELLS:,} streams of {UNITS:,} units each, sealed by the hour; in each month {CHANGED} of\n"
        f"them double their rate after ten days. Promised for all streams together: {ALPHA} false alarms a month\n"
        f"expected; each stream's levels are exact for {ALPHA} / {CELLS:,}. Measured: {alarms} in {months}.\n"
        "The delay is held against the same detector watching one stream alone at the whole promise.\n\n"
        + table(("base rate", "alone, units", "one of 2,000, units", "ratio"), rows)
    )
    figures = [
        Figure("grid_false_alarms_a_month", alarms / months, "alarms", ALPHA),
        Figure("grid_delay_by_single_stream", float(np.mean(ratios)), "times", DELAY_GOAL),
    ]
    return Row("500 slices x 4 signals", figures, text)


def _month(alone: list[levels.Bank], split: list[levels.Bank], seed: int) -> tuple[int, np.ndarray, np.ndarray]:
    """False alarms in ten months, and delays (runs, 4) of changed streams of each rate, alone and as one of all."""
    rng = np.random.default_rng(seed)
    rates = np.tile(np.repeat(RATES, SLICES), MONTHS)
    bank = levels.stacked([bank for _ in range(MONTHS) for bank in split for _ in range(SLICES)])
    quiet = np.ones(rates.size, np.bool_)
    for month in range(MONTHS):
        quiet[month * CELLS + rng.choice(CELLS, CHANGED, replace=False)] = False
    alarms = _alarms(bank, rates[quiet], quiet, rng)
    runs = 50
    watched = [_delays(banks, runs, seed + 1) for banks in (alone, split)]
    return alarms, watched[0], watched[1]


def _alarms(bank: levels.Bank, rates: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> int:
    some = levels.Bank(*(getattr(bank, name)[chosen] for name in levels.Bank.__slots__))
    state, total = cusum.fresh(some, rates.shape), 0
    units = np.full(rates.shape, PER_HOUR)
    for hour in range(HOURS):
        state = cusum.update(some, state, rng.binomial(PER_HOUR, rates), units, hour)
        hit = cusum.alarmed(some, state)
        if hit.any():
            total, state = total + int(hit.sum()), cusum.restart(state, hit)
    return total


def _delays(banks: list[levels.Bank], runs: int, seed: int) -> np.ndarray:
    """Units from the change to the alarm, (runs, 4); to the month's end for a miss."""
    rng = np.random.default_rng(seed)
    bank, rates = levels.stacked(banks), np.broadcast_to(RATES, (runs, len(RATES)))
    state, found = cusum.fresh(bank, rates.shape), np.full(rates.shape, float((HOURS - CHANGE) * PER_HOUR))
    units, waiting = np.full(rates.shape, PER_HOUR), np.ones(rates.shape, np.bool_)
    for hour in range(HOURS):
        factor = FACTOR if hour >= CHANGE else 1.0
        state = cusum.update(bank, state, rng.binomial(PER_HOUR, rates * factor), units, hour)
        hit = cusum.alarmed(bank, state)
        if hour < CHANGE:
            state = cusum.restart(state, hit)
            continue
        new = hit & waiting
        found[new], waiting = (hour + 1 - CHANGE) * PER_HOUR, waiting & ~new
    return found
