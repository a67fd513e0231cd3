"""Reading sealed facts as the series that evidence wants, each row once however often one looks."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.facts import Counts, unpack_counts
from monitor.live import LATENCIES, LATENCY_BLOCK, live_checks
from monitor.model import Population
from monitor.series import Series, SeriesKey, VariantFacts
from monitor.watch import TRAFFIC, Group, Watch
from services.store import tables as t
from services.store.seek import distinct

_Rows = list[tuple[int, int, Counts]]


class FactReader:
    """The sealed facts of one deployment, read forward: a look reads only what was sealed since the last one."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        watched = {(check.slice, check.signal) for check in live_checks(watch)}
        watched |= {(name, TRAFFIC.signal) for name in watch.slicer.names}
        self._block = max(1, LATENCY_BLOCK // watch.width)
        self._series: dict[Group, dict[SeriesKey, str]] = {
            group: {
                (layout.slices[s][0], definition.signal): layout.series(d, s)
                for d, definition in enumerate(layout.definitions)
                for s in range(len(layout.slices))
                if group is Group.PAIR or (layout.slices[s][0], definition.signal) in watched
            }
            for group, layout in watch.layouts.items()
        }
        self._read: dict[str, dict[tuple[Population, SeriesKey], _Rows]] = defaultdict(lambda: defaultdict(list))
        self._next = dict.fromkeys(Group, -1)  # groups are sealed at different times

    def variants(self, connection: Connection, cut: int) -> list[VariantFacts]:
        """Every variant with sealed units, from facts in buckets before `cut`, in order of first appearance."""
        for group in Group:
            self._read_on(connection, group, Population.PAIR if group is Group.PAIR else Population.UNIT)
        found = [self._variant(name, cut) for name in sorted(self._read)]
        return sorted((facts for facts in found if facts is not None), key=lambda facts: (facts.first, facts.variant))

    def _read_on(self, connection: Connection, group: Group, population: Population) -> None:
        f, series = t.fact.c, self._series[group]
        wanted = sa.select(t.fact).where(
            f.deployment == self.watch.name,
            f.population == str(population),
            f.bucket > self._next[group],
            f.signal.in_(sorted({signal for _, signal in series})),
        )
        for row in connection.execute(wanted.order_by(f.bucket, f.level)):
            key = (row.slice, row.signal)
            if series.get(key) != row.definition:
                continue
            self._take(
                self._read[row.variant][population, key], key[1], row.bucket, row.level, unpack_counts(row.counts)
            )
            self._next[group] = max(self._next[group], row.bucket)

    def _take(self, rows: _Rows, signal: str, bucket: int, level: int, counts: Counts) -> None:
        """Adds a row; those of latencies, which have hundreds of bins, are kept by block."""
        if signal in LATENCIES:
            bucket -= bucket % self._block
            if rows and rows[-1][0] == bucket:
                counts = rows.pop()[2] + counts
        rows.append((bucket, level, counts))

    def _variant(self, name: str, cut: int) -> VariantFacts | None:
        rows = self._read[name]
        traffic = [bucket for bucket, _, _ in rows[Population.UNIT, ("all", TRAFFIC.signal)] if bucket < cut]
        if not traffic:
            return None
        pairs = {key: _series(found, cut) for (p, key), found in rows.items() if p is Population.PAIR}
        ended = cut - cut % self._block
        units = {
            key: _series(found, ended if key[1] in LATENCIES else cut)
            for (p, key), found in rows.items()
            if p is Population.UNIT
        }
        return VariantFacts(name, min(traffic), max(traffic), _filled(pairs), _filled(units))


def _series(rows: _Rows, cut: int) -> Series:
    kept = [row for row in rows if row[0] < cut]
    counts = np.stack([row[2] for row in kept]) if kept else np.zeros((0, 0), np.int64)
    return Series(np.array([r[0] for r in kept], np.int64), np.array([r[1] for r in kept], np.int64), counts)


def _filled(series: dict[SeriesKey, Series]) -> dict[SeriesKey, Series]:
    return {key: one for key, one in series.items() if len(one.buckets)}


def deployments(connection: Connection) -> list[str]:
    """The names of all deployments that hold facts, open or sealed."""
    return sorted({name for table in (t.fact, t.delta) for name in distinct(connection, table.c.deployment)})
