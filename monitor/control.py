"""Evidence against a concurrent control: is a build worse than the one that serves beside it, at the same times?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from monitor.evidence import concurrent, detector, tail
from monitor.evidence.bets import Floats
from monitor.evidence.category import averaged, named
from monitor.evidence.concurrent import mixed, tolerated_odds
from monitor.live import LiveCheck, added_up, latency_bins, yes_and_units
from monitor.series import Series
from monitor.signals.latency import EDGES

QUANTILE = 0.95
"""The slow tail of a latency begins here."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Both arms by question, block and stratum: yes and units here, then of the control, (G, T, S, 4).

    `odds` (G, T, S) are those that are tolerated in each block and stratum.
    """

    buckets: NDArray[np.int64]
    counts: NDArray[np.int64]
    odds: Floats


@dataclass(frozen=True, slots=True)
class ControlState:
    """What is remembered of a check's first `done` blocks, whose hash is `digest`: log wealth (24, G) since the deploy,
    and the Shiryaev-Roberts statistics of the same bets."""

    done: int
    digest: str
    wealth: Floats
    late: detector.DetectorState


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """Log evidence since the deploy and of a later change, each averaged over a check's questions; the questions that
    carry it, first the largest, and the block where the change seems to begin, -1 before any."""

    log_evidence: float
    log_value: float
    since_deploy: tuple[int, ...]
    later: tuple[int, ...]
    start: int


Memory = dict[tuple[str, str, str, str, str], ControlState]
"""States by plan, variant, slice, signal and control."""


def compared(check: LiveCheck, series: Series, control: Series, first: int, tolerance: float) -> Compared:
    """The blocks from `first` on that hold units of both arms."""
    here, there = (added_up(each.from_(first)) for each in (series, control))
    buckets = np.intersect1d(here.buckets, there.buckets)
    arms = [Series(buckets, buckets, each.counts[np.isin(each.buckets, buckets)]) for each in (here, there)]
    if check.direction == "longer":
        return _strata(buckets, latency_bins(arms[0]), latency_bins(arms[1]), *bins(check.signal, tolerance))
    here_counts, there_counts = (yes_and_units(check, arm) for arm in arms)
    counts = np.concatenate([here_counts, there_counts], axis=-1)[:, :, None, :]
    return Compared(buckets, counts, tolerated_odds(there_counts[..., 0], there_counts[..., 1], tolerance)[..., None])


def _strata(
    buckets: NDArray[np.int64], here: NDArray[np.int64], control: NDArray[np.int64], shift: int, part: float
) -> Compared:
    """All strata together as the first question, each alone as one more."""
    edge = tail.edges(control, QUANTILE)
    counts, odds = tail.beyond(here, control, edge, shift), tail.tolerated_odds(control, edge, part)
    alone = np.eye(counts.shape[1], dtype=np.int64)
    whose = np.concatenate([np.ones((1, len(alone)), np.int64), alone])
    return Compared(buckets, counts * whose[:, None, :, None], np.broadcast_to(odds, (len(whose), *odds.shape)))


def bins(signal: str, tolerance: float) -> tuple[int, float]:
    """How many bins longer a latency may be, a third each: whole ones, and the part of one more."""
    edges = EDGES[signal]
    narrowest = min(math.log(above / edge) for edge, above in itertools.pairwise(edges))
    part, shift = math.modf(math.log1p(tolerance) / narrowest)
    return int(shift), part


def advance(found: Compared, before: ControlState | None) -> ControlState:
    """The state after all blocks, continued from an earlier one where its prefix is unchanged."""
    groups, blocks = found.counts.shape[:2]
    if before is None or before.done > blocks or before.digest != _prefix(found, before.done):
        wealth = np.zeros((concurrent.ODDS.size, groups))
        before = ControlState(0, "", wealth, detector.fresh(bets=wealth.size))
    new = found.counts[:, before.done :]
    yes, units, yes0, units0 = np.moveaxis(new, -1, 0)
    factors = concurrent.gains(yes, units, yes0, units0, found.odds[:, before.done :]).sum(axis=-1)
    flat = factors.reshape(before.wealth.size, factors.shape[-1])
    wealth = np.add.accumulate(np.concatenate([before.wealth[..., None], factors], axis=-1), axis=-1)[..., -1]
    seen = np.minimum(new[0, :, :, 1].sum(axis=-1), new[0, :, :, 3].sum(axis=-1))
    late = detector.fold(before.late, flat, seen, found.buckets[before.done :])
    return ControlState(blocks, _prefix(found, blocks), wealth, late)


def answer(state: ControlState, bar: float, level: float) -> ControlAnswer:
    """What the state says; `bar` and `level` are the logs at which it fails and pages."""
    shape = state.wealth.shape
    whole = mixed(state.wealth)
    blocks = int(state.late.blocks)
    later = mixed(state.late.log_m.reshape(shape)) if blocks else np.full(shape[1], -np.inf)
    start = int(state.late.start.reshape(shape)[:, int(np.argmax(later))][int(np.argmax(_column(state, later)))])
    return ControlAnswer(averaged(whole), averaged(later), named(whole, bar), named(later, level), start)


def _column(state: ControlState, later: Floats) -> Floats:
    return state.late.log_m.reshape(state.wealth.shape)[:, int(np.argmax(later))]


def shares(found: Compared, group: int) -> Iterator[tuple[int, int]]:
    """Yes and units of one question over all blocks and strata, here and then of the control."""
    total = found.counts[group].sum(axis=(0, 1)).tolist()
    yield total[0], total[1]
    yield total[2], total[3]


def _prefix(found: Compared, blocks: int) -> str:
    if not blocks:
        return ""
    parts = (found.buckets[:blocks], found.counts[:, :blocks], found.odds[:, :blocks])
    return xxhash.xxh3_64_hexdigest(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
