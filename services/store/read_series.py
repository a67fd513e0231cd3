"""Sealed facts as a series over time: counts by the names of their cells, newest definition only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from monitor.model import Definition
from services.store.seek import Key, runs
from services.store.tables import fact, layout

if TYPE_CHECKING:
    from monitor.facts import Counts, Layout

POINTS = 5_000


class Layouts:
    """Stored layouts by their digest. A layout never changes, so what was read once is kept."""

    def __init__(self) -> None:
        self._known: dict[str, Layout] = {}

    def get(self, connection: sa.Connection, digest: str) -> Layout | None:
        """The layout of that digest."""
        if digest not in self._known:
            self._load(connection, layout.c.digest == digest)
        return self._known.get(digest)

    def definition(self, connection: sa.Connection, digest: str) -> Definition | None:
        """The definition of that digest, in whatever layout it is."""
        found = self._find(digest)
        if found is None:
            self._load(connection, layout.c.digest.not_in(list(self._known)))
            found = self._find(digest)
        return found

    def _find(self, digest: str) -> Definition | None:
        return next((d for known in self._known.values() for d in known.definitions if d.digest == digest), None)

    def _load(self, connection: sa.Connection, *where: sa.ColumnElement[bool]) -> None:
        from monitor.facts import decode_layout  # compiles on import: not worth a second of every start

        for digest, body in connection.execute(sa.select(layout.c.digest, layout.c.body).where(*where)):
            self._known[digest] = decode_layout(body)


@dataclass(frozen=True, slots=True)
class Series:
    """A definition and, by bucket, the counts of its cells over all inclusion levels."""

    definition: Definition
    counts: Mapping[int, Counts]


def read_series(
    connection: sa.Connection, layouts: Layouts, key: Key, first: int | None = None, last: int | None = None
) -> Series | None:
    """The buckets from `first` to before `last` (the latest 5,000 of them); None if there is no such series."""
    from monitor.facts import unpack_counts

    found = runs(connection, key)
    name = max(found, key=lambda run: (run.last, run.definition)).definition if found else ""
    definition = layouts.definition(connection, name.partition(".")[0]) if found else None
    if definition is None:
        return None
    inside = [fact.c.bucket >= first] if first is not None else []
    inside += [fact.c.bucket < last] if last is not None else []
    summed: dict[int, Counts] = {}
    for run in (run for run in found if run.definition == name):
        rows = sa.select(fact.c.bucket, fact.c.counts).where(*run.where, *inside)
        for bucket, body in connection.execute(rows.order_by(fact.c.bucket.desc()).limit(POINTS)):
            counts = unpack_counts(body)
            summed[bucket] = summed[bucket] + counts if bucket in summed else counts
    return Series(definition, dict(sorted(summed.items())[-POINTS:]))


def totals(definition: Definition, population: str, counts: Counts) -> tuple[int, int, float | None]:
    """(n, yes, rate) of one point.

    Yes/no signals: n are those with an outcome. Hindsight signals: n are those whose outcome is waited for (their
    first cell). Scores: the rate is the mean, yes stays 0. Pairs: n are those with a logged and a reference outcome,
    yes those whose logged outcome is yes. Others (latency, length): n are all that were observed, without a rate.
    """
    by_cell = dict(zip(definition.cells, counts.tolist(), strict=True))
    if population == "pair":
        return _paired(by_cell)
    if definition.grid:
        return _mean(definition, counts)
    yes = sum(by_cell[cell] for cell in definition.yes)
    if definition.horizon > 0:
        n = by_cell[definition.cells[0]]
    elif definition.yes:
        n = yes + sum(by_cell[cell] for cell in definition.no)
    else:
        n = sum(number for cell, number in by_cell.items() if not cell.startswith(("no_", "not_")))
    return n, yes, yes / n if n and definition.yes else None


def _mean(definition: Definition, counts: Counts) -> tuple[int, int, float | None]:
    scored = counts[: len(definition.grid)].tolist()
    n = sum(scored)
    mean = sum(number * value for number, value in zip(scored, definition.grid, strict=True)) / n if n else None
    return n, 0, mean


def _paired(by_cell: Mapping[str, int]) -> tuple[int, int, float | None]:
    joint = {cell: number for cell, number in by_cell.items() if len(cell) == 4 and set(cell) <= set("ny?")}
    if not joint:
        both = {c: k for c, k in by_cell.items() if c.startswith("logged-reference:") and not c.endswith(":missing")}
        return sum(both.values()), 0, None
    known = {cell: number for cell, number in joint.items() if cell[0] != "?" and cell[2] != "?"}
    n, yes = sum(known.values()), sum(number for cell, number in known.items() if cell[0] == "y")
    return n, yes, yes / n if n else None
