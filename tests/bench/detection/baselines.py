"""A baseline estimated from 5,000 units: 2 % becomes 4 % after another 5,000."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from monitor.evidence import estimated, levels
from monitor.evidence.levels import Bank
from tests.bench.detection import judge, oracle, ours, river_detectors, streams
from tests.bench.detection.row import Row
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

BASELINE, QUIET, UNITS, HORIZON, ALPHA = 5_000, 5_000, 10_000, 20_000, 0.05
BEFORE, AFTER = 0.02, 0.04
AVERAGED_GOAL, WORST_GOAL = 900.0, 1_600.0


def row(size: Size, seed: int) -> Row:
    """Both guarantees, and what others need."""
    runs = size.baselines
    past = streams.steady(BEFORE, runs, BASELINE, seed)
    stream = streams.changing(BEFORE, AFTER, QUIET, runs, QUIET + HORIZON, seed + 1)
    nulls = streams.steady(BEFORE, runs, UNITS, seed + 3)
    yes = past.sum(axis=1, dtype=np.int64)

    def measured(make: Callable[[int], Bank]) -> tuple[float, float]:
        banks = {k: make(k) for k in np.unique(yes).tolist()}
        each = levels.stacked([banks[k] for k in yes.tolist()])
        delay = ours.median(ours.first_alarms(each, stream, quiet=QUIET), HORIZON)
        return delay, ours.alarm_share(each, nulls) / runs

    averaged = measured(lambda k: estimated.averaged(k, BASELINE, UNITS, ALPHA))
    worst = measured(lambda k: estimated.worst_case(k, BASELINE, UNITS, ALPHA))
    plug_in = measured(lambda k: levels.known_rate(k / BASELINE, UNITS, ALPHA))
    known = measured(lambda k: levels.known_rate(BEFORE, UNITS, ALPHA))
    bar = oracle.calibrated(nulls, BEFORE, AFTER, ALPHA)
    best = ours.median(oracle.first_alarms(stream, BEFORE, AFTER, bar, QUIET), HORIZON)
    rows = [("oracle, both rates known", f"{best:,.0f}", f"{ALPHA:.1%}")]
    rows += [
        (name, f"{delay:,.0f}", f"{share:.1%}")
        for name, (delay, share) in (
            ("ours, rate known", known),
            ("ours, averaged over baseline and prior", averaged),
            ("ours, at every rate", worst),
            ("the estimate taken for the rate", plug_in),
        )
    ]
    rows += _others(past[: size.slow], stream[: size.slow], nulls[: size.slow])
    text = (
        f"{runs:,} streams. *Averaged*: the promise of {ALPHA:.0%} is averaged over the baseline and a Jeffreys\n"
        "prior of the rate; at this one rate it may be a little off. *At every rate*: it holds whatever the rate.\n\n"
        + table(("detector", "median delay, units", "false alarms in 10,000"), rows)
    )
    figures = [
        Figure("estimated_baseline_delay_averaged", averaged[0], "units", AVERAGED_GOAL),
        Figure("estimated_baseline_delay_at_every_rate", worst[0], "units", WORST_GOAL),
    ]
    return Row("Delay, baseline estimated from 5,000 units", figures, text)


def _others(past: streams.Stream, stream: streams.Stream, nulls: streams.Stream) -> list[tuple[str, str, str]]:
    """ADWIN reads the baseline first; the judge takes its sixty minutes from it."""

    def said(find: Callable[[streams.Stream, int], npt.NDArray[np.float64]]) -> tuple[str, str]:
        delay = ours.median(find(stream, QUIET), HORIZON)
        return f"{delay:,.0f}" if delay < HORIZON else "missed", f"{np.isfinite(find(nulls, 0)).mean():.1%}"

    def adwin(x: streams.Stream, quiet: int) -> npt.NDArray[np.float64]:
        return river_detectors.first_alarms(river_detectors.adwin, np.concatenate([past, x], axis=1), BASELINE + quiet)

    return [
        ("ADWIN as shipped", *said(adwin)),
        ("Kayenta-style judge", *said(lambda x, quiet: judge.first_alarms(x, past, quiet))),
    ]
