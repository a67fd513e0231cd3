"""Where the levels of a bank of CUSUMs lie: laid out for a base rate, and raised until its promise is kept.

Each component is laid out on a lattice close to its likelihood ratio (see `cusum`). Levels are then the least at which
each component alone alarms equally often and the law of the whole bank (`runlength` for a known rate, an average of it
for an estimated one) stays within the promise, found by bisection. They are placed at nine tenths of alpha: who counts
false alarms on some thousands of streams should not meet more than was promised, and it costs 1 to 3 % of the delay.

Guarantee and conditions: those of the law that is handed in; of `known_rate`, those of `runlength.false_alarm`.

Sources: Brook and Evans, Biometrika 59 (1972), for the law; Lorden, "Procedures for reacting to a change in
distribution", Ann. Math. Stat. 42 (1971), for several alternatives at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from monitor.evidence.bets import Floats, Ints
from monitor.evidence.runlength import Part, alone, false_alarm, yes_chances

ODDS = (1.5, 2.1, 3.3)
"""The rises that the components are best at; between 1.3 and 5 times none is far."""

STEP, FINEST = 0.1, 64
"""Lattice step in nats, about, and how many finer ones are tried: rates near 1 need a dozen."""

FIRST, LAST, TALLEST = 20.0, 120.0, 4_096
"""Height in nats at which the search for a level begins, and that, or the number of steps, at which it gives up."""

HIGHEST = 0.95
"""No bank is made for a higher rate: nearly every unit is a yes, and scores hardly fall."""

NO_LEVEL = "no level keeps this promise: the horizon is too long, or the rate too high"

SPENT = 0.9
"""The part of a promised alpha that levels are placed at."""

Law = Callable[[Sequence[Part], int], float]
"""The chance of a false alarm of these parts on a clock of so many units."""


@dataclass(frozen=True, slots=True)
class Bank:
    """Lattice and levels of C components: one detector, or a batch (...) of them (`stacked`).

    `every` (...) is the clock's m; `up`, `down`, `level` (..., C) are in steps, `step` (..., C) in nats.
    """

    every: Ints
    up: Ints
    down: Ints
    level: Ints
    step: Floats


def lattice(rate: float, odds: Sequence[float] = ODDS, step: float = STEP) -> tuple[int, list[tuple[int, int, float]]]:
    """The clock, and each component's up, down and step in nats, for a base rate in (0, 1).

    Of the steps up to `step`, the widest that rounds a component's rise by at most a third of what would make its
    score rise at the base rate.
    """
    falls = [math.log1p((rho - 1.0) * rate) for rho in odds]
    every = max(1, round(step / falls[0]))
    parts = []
    for rho, fall in zip(odds, falls, strict=True):
        room = (fall / (rate * math.log(rho)) - 1.0) / 3.0
        least = max(1, round(fall * every / step))
        tries = [(down, math.log(rho) * down / (fall * every)) for down in range(least, least + FINEST)]
        down, up = next((t for t in tries if abs(round(t[1]) / t[1] - 1.0) <= room), tries[-1])
        parts.append((round(up), down, fall * every / down))
    return every, parts


def bank(rate: float, alpha: float, law: Law, single: Law, odds: Sequence[float] = ODDS, step: float = STEP) -> Bank:
    """The bank for this base rate with levels at which `law` stays within alpha, and one less nowhere does.

    `law` bounds the chance that any alarms, `single` gives that of one part; both fall as levels rise. ValueError
    where no level is high enough.
    """
    every, parts = lattice(rate, odds, step)
    law, single = _once(law), _once(single)
    if rate > HIGHEST:
        raise ValueError(NO_LEVEL)

    def placed(each: float) -> list[Part]:
        return [(up, down, _level(up, down, every, unit, each, single)) for up, down, unit in parts]

    if len(parts) == 1:
        return _bank(every, placed(alpha), [parts[0][2]])
    each = alpha / len(parts)
    chosen = placed(each)
    spent = law(chosen, every)
    for _ in range(8):
        each *= min(1.5, alpha / max(spent, alpha / 2))
        tried = placed(each)
        spent = law(tried, every)
        if spent > alpha:
            break
        chosen = tried
        if spent > 0.99 * alpha:
            break
    return _bank(every, _lowered(chosen, every, alpha, law), [unit for _, _, unit in parts])


def _once(law: Law) -> Law:
    """The same law; the search asks for the same levels again and again, and each is computed once."""
    known = cache(lambda parts, every: law(parts, every))
    return lambda parts, every: known(tuple(parts), every)


def laid_out(rate: float, odds: Sequence[float] = ODDS, step: float = STEP) -> Bank:
    """The bank for this base rate before its levels are placed (all 0): enough to `fold`, and cheap."""
    every, parts = lattice(rate, odds, step)
    return _bank(every, [(up, down, 0) for up, down, _ in parts], [unit for _, _, unit in parts])


def _lowered(parts: list[Part], every: int, alpha: float, law: Law) -> list[Part]:
    """The same with each level one lower where that still keeps the promise."""
    for c, (up, down, level) in enumerate(parts):
        tried = [*parts[:c], (up, down, level - 1), *parts[c + 1 :]]
        if level > up and law(tried, every) <= alpha:
            parts = tried
    return parts


def _level(up: int, down: int, every: int, unit: float, chance: float, single: Law) -> int:
    """The least level at which one component alarms with at most this chance."""
    low, high, tallest = up, max(up, math.ceil(FIRST / unit)), min(TALLEST, math.ceil(LAST / unit))
    while single([(up, down, high)], every) > chance:
        if high >= tallest:
            raise ValueError(NO_LEVEL)
        low, high = high + 1, min(2 * high, tallest)
    while low < high:
        middle = (low + high) // 2
        if single([(up, down, middle)], every) <= chance:
            high = middle
        else:
            low = middle + 1
    return low


def _bank(every: int, parts: Sequence[Part], steps: Sequence[float]) -> Bank:
    table = np.array(parts, np.int64)
    return Bank(np.array(every, np.int64), table[:, 0], table[:, 1], table[:, 2], np.array(steps, np.float64))


@lru_cache(maxsize=4096)
def known_rate(rate: float, units: int, alpha: float, *, odds: tuple[float, ...] = ODDS, step: float = STEP) -> Bank:
    """The bank for "rate <= `rate`" that alarms falsely within `units` units with probability at most `alpha`."""
    if not (0.0 < rate < 1.0 and 0.0 < alpha < 1.0 and units >= 1):
        raise ValueError("a bank needs a rate and an alpha in (0, 1), and a horizon of at least one unit")
    return bank(
        rate,
        SPENT * alpha,
        lambda parts, every: false_alarm(parts, every, rate, units),
        lambda parts, every: alone(parts[0], yes_chances(every, rate), -(-units // every)),
        odds,
        step,
    )


def stacked(banks: Sequence[Bank]) -> Bank:
    """A batch (len(banks),) of detectors with equally many components."""
    return Bank(*(np.stack([getattr(one, name) for one in banks]) for name in Bank.__slots__))
