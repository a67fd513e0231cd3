"""What is watched of live traffic: harmful rates, shifts between categories, and the slow tail of latencies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.evidence.category import one_against_rest
from monitor.model import Definition, Missing
from monitor.series import Series
from monitor.signals.latency import BINS, LOADS, PROMPTS, SIGNALS, STRATA
from monitor.slices import ALL
from monitor.watch import Group, Watch

LATENCIES = SIGNALS
"""Signals that are watched for a longer tail."""

CATEGORICAL = ("refusal", "finish_reason")
"""Signals of which each category may rise or fall; where the plan knows a rate, that is watched instead."""

_MISSING = frozenset(map(str, Missing))


@dataclass(frozen=True, slots=True)
class LiveCheck:
    """One question about one slice's live units.

    `direction` is `more` for a harmful rate, `shift` for categories, and `longer` for a latency.
    """

    slice: str
    definition: Definition
    direction: str

    @property
    def signal(self) -> str:
        """The signal's name."""
        return self.definition.signal

    @property
    def groups(self) -> int:
        """How many questions it consists of: a rise and a fall of each category, a pooled tail and one a stratum."""
        if self.direction == "shift":
            return 2 * len(categories(self.definition))
        return 1 + STRATA if self.direction == "longer" else 1


def live_checks(watch: Watch) -> tuple[LiveCheck, ...]:
    """Everything that is watched of one variant's live units. Latencies are watched over all traffic, and on the slices
    of which the plan says so."""
    return tuple(_checks(watch))


def _checks(watch: Watch) -> Iterator[LiveCheck]:
    hindsight = [definition for group in (Group.CORRECTION, Group.JOIN) for definition in watch.hindsight[group]]
    for definition in (*watch.live, *hindsight):
        if definition.signal in LATENCIES:
            for rule in watch.slicer.rules:
                if rule.name == ALL or rule.latency:
                    yield LiveCheck(rule.name, definition, "longer")
        elif definition.yes or definition.signal in CATEGORICAL:
            known = watch.signal_rule(definition.signal).rate is not None
            direction = "shift" if definition.signal in CATEGORICAL and not known else "more"
            for name in watch.slicer.names:
                yield LiveCheck(name, definition, direction)


def categories(definition: Definition) -> tuple[str, ...]:
    """The cells that are watched as categories: all that are no reason for having none."""
    return tuple(cell for cell in definition.cells if cell not in _MISSING)


def yes_and_units(check: LiveCheck, series: Series) -> NDArray[np.int64]:
    """Yes and units with an outcome by group and row, shape (G, T, 2), of a rate or of categories.

    A hindsight signal's units are those served. A category's rise counts it, its fall all others.
    """
    definition = check.definition
    at = {cell: column for column, cell in enumerate(definition.cells)}
    if check.direction == "shift":
        counts = series.counts[:, [at[cell] for cell in categories(definition)]]
        return one_against_rest(counts, counts.sum(axis=1))
    yes = series.counts[:, [at[cell] for cell in definition.yes]].sum(axis=1)
    if definition.no:
        units = yes + series.counts[:, [at[cell] for cell in definition.no]].sum(axis=1)
    else:
        units = np.maximum(yes, series.counts[:, at["served" if "served" in at else "open"]])
    return np.stack([yes, units], axis=-1)[None]


def group_name(check: LiveCheck, group: int) -> str:
    """What one question of a check is about, for people: `more full`; empty where there is but one."""
    if check.direction == "shift":
        place, fell = divmod(group, 2)
        return f"{'less' if fell else 'more'} {categories(check.definition)[place]}"
    if group == 0:
        return ""
    load, prompt = divmod(group - 1, len(PROMPTS) + 1)
    return f"{_span(LOADS, load)} requests running and prompts of {_span(PROMPTS, prompt)} tokens"


def _span(edges: tuple[int, ...], place: int) -> str:
    if place == 0:
        return f"fewer than {edges[0]:,}"
    return f"{edges[-1]:,} or more" if place == len(edges) else f"{edges[place - 1]:,} to {edges[place] - 1:,}"


def latency_bins(series: Series) -> NDArray[np.int64]:
    """Counts by row, stratum and bin, (T, S, B)."""
    return np.asarray(series.counts[:, : STRATA * BINS].reshape(-1, STRATA, BINS), np.int64)


def yes_and_no(definition: Definition, series: Series) -> NDArray[np.int64]:
    """All yes and all no of a signal, (2,)."""
    at = {cell: column for column, cell in enumerate(definition.cells)}
    total = series.total
    return np.array(
        [sum(int(total[at[cell]]) for cell in cells) for cells in (definition.yes, definition.no)], np.int64
    )


def added_up(series: Series) -> Series:
    """The series with each bucket once."""
    buckets, rows = np.unique(series.buckets, return_inverse=True)
    counts = np.zeros((len(buckets), series.counts.shape[1]), np.int64)
    np.add.at(counts, rows, series.counts)
    return Series(buckets, np.zeros(len(buckets), np.int64), counts)
