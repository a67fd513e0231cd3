"""How long one check takes to be decided on the traffic that it meets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.evidence.bets import SCORE_GRID, YES_NO, Support
from monitor.evidence.check import Bar
from monitor.evidence.rehearsal import RUNS, Draws, Stage, rehearse
from monitor.forecast.assumed import FEW, MANY, USUAL, harmed, harmless
from monitor.forecast.meeting import Meeting
from monitor.forecast.traffic import Floats
from monitor.pairs import VALUES

LIMIT = 30 * 24.0
"""Hours: what is not decided by then is said to be never decided."""
TWICE = 2.0
"""The harm at which a fail is forecast, in tolerances."""
_ROUGH = 40


@dataclass(frozen=True, slots=True)
class Wait:
    """Hours until a check is decided, its sealing included; None for not within `LIMIT`.

    `median` is under the usual assumption; the range goes from the lucky tenth where few arms differ to the unlucky
    tenth where many do.
    """

    median: float | None = None
    early: float | None = None
    late: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """What a check is held against, and how its pairs come: hours a block, hours until a block is sealed, and the
    pairs below which the plan takes no notice of it. `weight` is a pair's by its inclusion probability."""

    bar: Bar
    block: float
    delay: float
    least: int
    weight: Mapping[float, float]


def wait(met: Meeting, pace: Pace, towards: Literal["fail", "pass"], draws: Draws) -> Wait:
    """Hours until a pass if there is no harm, or until a fail if the harm is `TWICE` the tolerance."""
    if met.eligible <= 0:
        return Wait()
    few, usual, many = _pairs(met, pace, towards, (FEW, USUAL, MANY), met.eligible * LIMIT, RUNS, draws)
    found = (_at(usual, 0.5), _at(few, 0.1), _at(many, 0.9))
    return Wait(*(sealed_hours(pairs / met.eligible, pace) for pairs in found))


def median_pairs(met: Meeting, pace: Pace, most: float, draws: Draws) -> float:
    """Pairs until the check is decided either way, the slower of both under the usual assumption; infinite for never.

    How often it is sampled plays next to no part in it. Rougher than `wait`.
    """
    both: tuple[Literal["pass"], Literal["fail"]] = ("pass", "fail")
    return max(_at(_pairs(met, pace, towards, (USUAL,), most, _ROUGH, draws)[0], 0.5) for towards in both)


def _pairs(
    met: Meeting,
    pace: Pace,
    towards: Literal["fail", "pass"],
    independent: tuple[float, ...],
    most: float,
    runs: int,
    draws: Draws,
) -> Floats:
    """Pairs until each run is settled, a row for each assumption."""
    assumed = np.stack([_shares(met, share, pace.bar, towards) for share in independent])
    support, weights, parts = grouped(met, pace)
    shares = (parts[None, :, None] * assumed[:, None, :]).reshape(len(assumed), -1)
    pairs = rehearse(Stage(support, pace.bar, met.eligible * pace.block, most, weights), shares, towards, draws, runs)
    if towards == "pass":  # fewer are no check yet
        return np.maximum(pairs, pace.least * met.eligible / met.applicable)
    return pairs


def _shares(met: Meeting, independent: float, bar: Bar, towards: str) -> Floats:
    shares = harmless(met, independent)
    return shares if towards == "pass" else harmed(met, shares, min(TWICE * bar.tolerance, 1.0))


def _at(pairs: Floats, share: float) -> float:
    return float(np.quantile(pairs, share, method="inverted_cdf"))


def sealed_hours(hours: float, pace: Pace) -> float | None:
    """In whole blocks, and sealed; None beyond the limit."""
    if not math.isfinite(hours):
        return None
    sealed = math.ceil(hours / pace.block) * pace.block + pace.delay
    return sealed if sealed <= LIMIT else None


def grouped(met: Meeting, pace: Pace) -> tuple[Support, Support | None, Floats]:
    """Support, weights and the share of pairs in each group, as `monitor.checks.check_table` groups them.

    A block whose pairs all have one level is counted unweighted (group 0); in a block with several, each level is a
    group of its own. Where a level gives r pairs a block on average, the others find it empty with exp(-r).
    """
    base = SCORE_GRID if met.signal in VALUES else YES_NO
    if len(met.levels) < 2:
        return base, None, np.ones(1)
    rates = {level: hourly * pace.block for level, hourly in met.levels.items()}
    total = sum(rates.values())
    alone = {level: rate * math.exp(rate - total) for level, rate in rates.items()}
    parts = np.array([sum(alone.values()), *(rates[level] - alone[level] for level in rates)])
    weights = [1.0, *(pace.weight[level] for level in rates)]
    return base * len(parts), tuple(weight for weight in weights for _ in base), parts / parts.sum()
