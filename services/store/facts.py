"""Reading sealed facts as the series that evidence wants, each row once however often one looks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.blocks import Blocks
from monitor.facts import Counts, unpack_counts
from monitor.live import LATENCIES, live_checks
from monitor.model import Population
from monitor.series import Series, SeriesKey, VariantFacts
from monitor.slices import ALL
from monitor.watch import TRAFFIC, Group, Watch
from services.store import tables as t
from services.store.kept import Kept
from services.store.seek import distinct

AGAIN = 20_000
"""How many rows of each group are read again at a look: all of a small store, a large one in turn."""

_Rows = list[tuple[int, int, Counts]]


class FactReader:
    """The sealed facts of one deployment, read forward: a look reads what was sealed since the last one, and again some
    of what it has. If that is not what it was, everything is read anew."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        watched = {(check.slice, check.signal) for check in live_checks(watch)}
        watched |= {(name, TRAFFIC.signal) for name in watch.slicer.names}
        self._series: dict[Group, dict[SeriesKey, str]] = {
            group: {
                (layout.slices[s][0], definition.signal): layout.series(d, s)
                for d, definition in enumerate(layout.definitions)
                for s in range(len(layout.slices))
                if group is Group.PAIR or (layout.slices[s][0], definition.signal) in watched
            }
            for group, layout in watch.layouts.items()
        }
        self._forget()

    def _forget(self) -> None:
        self._read: dict[str, dict[tuple[Population, SeriesKey], _Rows]] = defaultdict(lambda: defaultdict(list))
        self._next = dict.fromkeys(Group, -1)  # groups are sealed at different times
        self._firsts: dict[str, int] = {}
        self._kept = {group: Kept() for group in Group}

    def variants(self, connection: Connection, cut: int) -> list[VariantFacts]:
        """Every variant with sealed units, from facts in buckets before `cut`, in order of first appearance."""
        if not all(self._unchanged(connection, group) for group in Group):
            self._forget()
        self._learn_firsts(connection, cut)
        for group in Group:
            self._read_on(connection, group, cut)
        found = [self._variant(name, cut) for name in sorted(self._read)]
        return sorted((facts for facts in found if facts is not None), key=lambda facts: (facts.first, facts.variant))

    def _learn_firsts(self, connection: Connection, cut: int) -> None:
        """The first bucket of every variant, before anything after it is read: it decides on blocks."""
        f = t.fact.c
        first = sa.select(f.variant, sa.func.min(f.bucket)).where(
            f.deployment == self.watch.name,
            f.population == str(Population.UNIT),
            f.signal == TRAFFIC.signal,
            f.slice == ALL,
            f.bucket > self._next[Group.LIVE],
            f.bucket < cut,
        )
        for variant, bucket in connection.execute(first.group_by(f.variant)):
            self._firsts.setdefault(variant, bucket)

    def _unchanged(self, connection: Connection, group: Group) -> bool:
        """Whether a piece of what was read is still what the store holds; the next look asks for the next piece."""
        piece = self._kept[group].piece(AGAIN)
        return piece is None or self._kept[group].holds(*piece, self._rows(connection, group, *piece))

    def _rows(self, connection: Connection, group: Group, first: int, last: int) -> Iterator[Any]:
        """The rows of a group's watched series in these buckets, in time order."""
        f, series = t.fact.c, self._series[group]
        wanted = sa.select(t.fact).where(
            f.deployment == self.watch.name,
            f.population == str(_population(group)),
            f.bucket.between(first, last),
            f.signal.in_(sorted({signal for _, signal in series})),
        )
        for row in connection.execute(wanted.order_by(f.bucket, f.level)):
            if series.get((row.slice, row.signal)) == row.definition:
                yield row

    def _read_on(self, connection: Connection, group: Group, cut: int) -> None:
        """What is new before `cut`. Were a row beyond it read, what is sealed before that row would be passed over."""
        blocks, population = Blocks(self.watch.width, self._firsts.values()), _population(group)
        for row in self._rows(connection, group, self._next[group] + 1, cut - 1):
            key = (row.slice, row.signal)
            self._kept[group].add(row)
            counts, rows = unpack_counts(row.counts), self._read[row.variant][population, key]
            begin = blocks.begin(row.bucket) if key[1] in LATENCIES else row.bucket
            if key[1] in LATENCIES and rows and rows[-1][0] == begin:
                counts = rows.pop()[2] + counts
            rows.append((begin, row.level, counts))
            self._next[group] = max(self._next[group], row.bucket)

    def _variant(self, name: str, cut: int) -> VariantFacts | None:
        rows = self._read[name]
        traffic = [bucket for bucket, _, _ in rows[Population.UNIT, (ALL, TRAFFIC.signal)] if bucket < cut]
        if not traffic:
            return None
        pairs = {key: _series(found, cut) for (p, key), found in rows.items() if p is Population.PAIR}
        ended = Blocks(self.watch.width, self._firsts.values()).begin(cut)
        units = {
            key: _series(found, ended if key[1] in LATENCIES else cut)
            for (p, key), found in rows.items()
            if p is Population.UNIT
        }
        return VariantFacts(name, min(traffic), max(traffic), _filled(pairs), _filled(units))


def _population(group: Group) -> Population:
    return Population.PAIR if group is Group.PAIR else Population.UNIT


def _series(rows: _Rows, cut: int) -> Series:
    kept = [row for row in rows if row[0] < cut]
    counts = np.stack([row[2] for row in kept]) if kept else np.zeros((0, 0), np.int64)
    return Series(np.array([r[0] for r in kept], np.int64), np.array([r[1] for r in kept], np.int64), counts)


def _filled(series: dict[SeriesKey, Series]) -> dict[SeriesKey, Series]:
    return {key: one for key, one in series.items() if len(one.buckets)}


def deployments(connection: Connection) -> list[str]:
    """The names of all deployments that hold facts, open or sealed."""
    return sorted({name for table in (t.fact, t.delta) for name in distinct(connection, table.c.deployment)})
