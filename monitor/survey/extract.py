"""The sampled lines of a log as the reader understands them, with what ingestion under the plan would do with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from monitor.dialects.reader import Found, Reader
from monitor.model import Event, Record
from monitor.plan import Plan
from monitor.run import Run
from monitor.state import State
from monitor.step import step
from monitor.wire import milliseconds

FUTURE: Final = 3_600_000
"""Milliseconds by which clocks may differ before a time counts as one of the future."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: where it lies, what it is, and what the reader found in it."""

    source: str
    position: int
    raw: bytes
    found: Found

    @property
    def event(self) -> Event | None:
        """The request that it is, if it is one."""
        return self.found.record if isinstance(self.found.record, Event) else None


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that ingestion would quarantine. `position` is its byte in the source; `detail` holds no text of it."""

    source: str
    position: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What ingestion would make of the sample under the plan, as far as a sample can tell."""

    accepted: int
    duplicates: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Extract:
    """Stretches of consecutive lines, in log order, of logs that hold about `about` lines in all."""

    stretches: tuple[tuple[Line, ...], ...]
    about: float
    clock: int

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """All lines."""
        return tuple(line for stretch in self.stretches for line in stretch)

    @cached_property
    def requests(self) -> tuple[tuple[tuple[Line, Event], ...], ...]:
        """The lines that are requests, stretch by stretch.

        Single ones from the future are left out: they are slips of a clock, and ingestion takes none of them. Where
        most are from there, this machine's clock is to be doubted, and they stay.
        """
        found = [[(line, e) for line in stretch if (e := line.event) is not None] for stretch in self.stretches]
        latest = self.clock + FUTURE
        sound = [[(line, e) for line, e in each if milliseconds(e.time) <= latest] for each in found]
        chosen = sound if 2 * sum(map(len, sound)) > sum(map(len, found)) else found
        return tuple(map(tuple, chosen))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The requests, each once: a later line of the same deployment and id is a copy."""
        first: dict[tuple[str, str], Event] = {}
        for _, event in (pair for stretch in self.requests for pair in stretch):
            first.setdefault((event.deployment, event.id), event)
        return tuple(first.values())

    @cached_property
    def by_deployment(self) -> dict[str, list[Event]]:
        """The requests of each deployment, the busiest deployment first."""
        counts = Counter(event.deployment for event in self.events)
        found: dict[str, list[Event]] = {name: [] for name, _ in counts.most_common()}
        for event in self.events:
            found[event.deployment].append(event)
        return found

    @property
    def later(self) -> list[Record]:
        """The scores and feedback."""
        records = (line.found.record for line in self.lines)
        return [record for record in records if not isinstance(record, Event | Exception)]

    def times(self, deployment: str | None = None) -> list[list[int]]:
        """The times of the requests in milliseconds, stretch by stretch, in log order; of one deployment, or of all."""
        return [
            [milliseconds(event.time) for _, event in stretch if deployment in (None, event.deployment)]
            for stretch in self.requests
        ]


def read(runs: Sequence[Run], reader: Reader, about: float) -> Extract:
    """Reads the sampled runs of some logs."""
    stretches = tuple(
        tuple(
            Line(run.source, position, raw, reader.explain(raw, run.source))
            for position, raw in zip(run.positions, run.records, strict=True)
        )
        for run in runs
    )
    return Extract(stretches, about, max((run.clock for run in runs), default=0))


def trial(runs: Sequence[Run], plan: Plan) -> Trial:
    """Puts the runs through the very step of ingestion and keeps nothing of it. Between stretches lines are missing, so
    copies and late lines may be overlooked; none is made up."""
    state, accepted, duplicates = State(plan), 0, 0
    problems: list[Problem] = []
    for run in runs:
        batch = step(state, run)
        accepted += batch.accepted
        duplicates += batch.duplicates
        rows = sorted(batch.quarantine, key=lambda row: row.position)
        problems += [Problem(run.source, row.position, row.reason, row.detail) for row in rows]
    return Trial(accepted, duplicates, tuple(problems))
