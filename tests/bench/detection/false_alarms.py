"""False alarms within 10,000 units at a promised 5 %: eight regimes of live units, four of pairs and two arms."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from monitor.evidence import bets, concurrent, cusum, estimated, levels
from tests.bench.detection import arms, chart, judge, ours, streams
from tests.bench.detection.row import Row, upper_limit
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

UNITS, ALPHA, BASELINE = 10_000, 0.05, 5_000
SHARE_GOAL, LIMIT_GOAL = 0.05, 0.056
CHUNK = 1_000
DAY = 1_440
Counted = tuple[str, int, int]
"""Regime, runs with a false alarm, runs."""


def row(size: Size, seed: int) -> Row:
    """All twelve regimes."""
    counted = [*live(size, seed), *blocked(size, seed)]
    worst = max(counted, key=lambda one: one[1] / one[2])
    figures = [Figure("false_alarms_worst_share", worst[1] / worst[2], "of runs", SHARE_GOAL)]
    figures += [
        Figure(
            f"false_alarms_{name.replace(' ', '_').replace('%', '')}_99_upper",
            upper_limit(bad, runs),
            "of runs",
            LIMIT_GOAL,
        )
        for name, bad, runs in counted
    ]
    rows = [(name, f"{runs:,}", f"{bad / runs:.2%}", f"{upper_limit(bad, runs):.2%}") for name, bad, runs in counted]
    text = (
        f"Streams of {UNITS:,} units in which nothing changes; promised: at most {ALPHA:.0%} of them alarm. The\n"
        "levels come from the exact law of the run length (live rates) or from Ville's inequality (pairs, two arms),\n"
        "never from these streams.\n\n" + table(("regime", "runs", "alarmed", "99 % upper limit"), rows)
    )
    text += _others(size, seed)
    drawn = chart.bars("False alarms in 10,000 units, promised 5 %", "share of runs, %", _percent(counted), 5.0)
    return Row("False alarms", figures, text, {"detection-false-alarms": drawn})


def _percent(counted: list[Counted]) -> dict[str, float]:
    return {name.split(",")[0].replace("rate ", ""): 100 * bad / runs for name, bad, runs in counted}


def live(size: Size, seed: int) -> Iterator[Counted]:
    """Eight regimes of live rates."""
    runs = size.nulls
    for number, rate in enumerate((0.001, 0.01, 0.05, 0.2)):
        nulls = streams.steady(rate, runs, UNITS, seed + number)
        yield f"rate {rate:.1%}", ours.alarm_share(levels.known_rate(rate, UNITS, ALPHA), nulls), runs
    yield "estimated", _estimated(runs, seed + 10), runs
    bank = levels.known_rate(0.02, UNITS, ALPHA)
    drawn, _ = streams.conversations(0.02, runs, UNITS, seed + 11)
    yield "conversations", ours.alarm_share(bank, drawn), runs
    nulls = streams.steady(0.02, runs, UNITS, seed + 12)
    yield "bursts", ours.alarm_share(bank, nulls, streams.bursts(runs, UNITS, seed)), runs
    sealed = streams.late(nulls, 50, 3.0, seed + 13)
    yield "late outcomes", ours.alarm_share(bank, sealed, np.arange(50, UNITS + 1, 50)), runs


def _estimated(runs: int, seed: int) -> int:
    """Rates from 0.1 % to 20 %, evenly on a log scale, each with a baseline of its own."""
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.uniform(math.log(0.001), math.log(0.2), runs))
    yes = rng.binomial(BASELINE, rates)
    nulls = streams.steady(rates, runs, UNITS, seed)
    banks = {k: estimated.averaged(k, BASELINE, UNITS, ALPHA) for k in np.unique(yes).tolist()}
    return ours.alarm_share(levels.stacked([banks[k] for k in yes.tolist()]), nulls)


def blocked(size: Size, seed: int) -> Iterator[Counted]:
    """Four regimes of pairs and of two arms: 10,000 pairs, or 10,000 units an arm."""
    runs, bar = size.nulls, math.log(1 / ALPHA)
    alarms = np.zeros(4, np.int64)
    for begin in range(0, runs, CHUNK):
        some, own = min(CHUNK, runs - begin), seed + begin
        for kind, (here, control) in enumerate(
            (arms.cycle(0.05, 0.3, some, 200, 50, own), arms.mix_shift(some, 200, 50, own + 1))
        ):
            evidence = concurrent.log_evidence(here, np.full_like(here, 50), control, np.full_like(control, 50))
            alarms[kind] += (evidence.max(axis=0) >= bar).sum()
        cells, harm = arms.strata(some, 200, 50, own + 2)
        weights = (0.1, 0.1, 0.1, 1.0, 1.0, 1.0)
        alarms[2] += _ever(bets.YES_NO * 2, cells, harm, weights)
        alarms[3] += _ever(bets.YES_NO, arms.pairs(0.025, 0.005, some, 200, 50, own + 3), 0.02, None)
    names = ("daily cycle", "mix shift", "weighted pairs", "tolerance used up")
    yield from ((name, int(bad), runs) for name, bad in zip(names, alarms, strict=True))


def _ever(support: bets.Support, blocks: arms.Ints, margin: float, weights: tuple[float, ...] | None) -> int:
    """Runs whose evidence reached the bar after any block."""
    ever = np.zeros(blocks.shape[1], np.bool_)
    for sums in np.array_split(blocks.cumsum(axis=0), 10):
        ever |= (bets.log_evidence(support, sums, margin, weights=weights) >= math.log(1 / ALPHA)).any(axis=0)
    return int(ever.sum())


def _others(size: Size, seed: int) -> str:
    """The same promise, as others would keep it."""
    runs = max(200, size.nulls // 10)
    bank = levels.known_rate(0.02, UNITS, ALPHA)
    _, turns = streams.conversations(0.02, runs, UNITS, seed + 11)
    nulls, past = streams.steady(0.02, runs, UNITS, seed + 12), streams.steady(0.02, runs, BASELINE, seed + 20)
    plug_in = [levels.known_rate(max(1, k) / BASELINE, UNITS, ALPHA) for k in past.sum(axis=1, dtype=np.int64).tolist()]
    day = arms.cycle(0.05, 0.3, runs, 200, 50, seed)[0]
    cycled = np.zeros(runs, np.bool_)
    fixed, state = levels.known_rate(0.05, UNITS, ALPHA), None
    for block, yes in enumerate(day):
        state = cusum.update(fixed, state or cusum.fresh(fixed, (runs,)), yes, np.full(runs, 50), block)
        cycled |= cusum.alarmed(fixed, state)
    days = streams.steady(0.02, 100, DAY * judge.PER_MINUTE, seed + 21)
    judged = np.isfinite(judge.first_alarms(days, past[:100]))
    rows = [
        ("every turn of a conversation counted as a unit", f"{ours.alarm_share(bank, turns) / runs:.1%}"),
        (
            "the baseline's estimate taken for its rate",
            f"{ours.alarm_share(levels.stacked(plug_in), nulls) / runs:.1%}",
        ),
        ("a fixed rate under a daily cycle of 30 %", f"{cycled.mean():.1%}"),
        ("Kayenta-style judge in a day of 47 looks (100 streams)", f"{judged.mean():.1%}"),
    ]
    return f"\nFor scale, {runs:,} streams each:\n\n" + table(("instead", "alarmed"), rows)
