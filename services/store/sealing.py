"""Sealing: a bucket's deltas become immutable rows, once, when every source has passed its end and horizon."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from monitor.facts import Counts, Layout, decode_layout, fold, pack_counts, sealed_rows
from monitor.model import Arm, Population
from monitor.pairs import VALUES, Pair, distinct, pair_counts
from monitor.watch import Group, Watch
from services.store import tables as t
from services.store.bits import unsigned
from services.store.bulk import insert
from services.store.commit import writing
from services.store.holding import keep_still

Row = dict[str, Any]
Merged = dict[tuple[str, ...], Counts]


def frontier(connection: Connection, clock: int) -> int:
    """The watermark of the whole store: the least of the open sources', or the clock where none is open."""
    least = connection.scalar(sa.select(sa.func.min(t.position.c.watermark)).where(t.position.c.closed.is_(False)))
    return clock if least is None else int(least)


def seal(engine: Engine, watch: Watch, clock: int, *, everything: bool = False) -> dict[Group, int]:
    """Seals what may be sealed of one deployment, in one transaction, and returns each group's first open bucket.

    A bucket is sealed for a group when the store's watermark has passed its end, the lateness and the group's
    horizon; `everything` seals all that is there.
    """
    with engine.connect() as connection:  # most of the time there is nothing to do, and nobody is to wait for it
        edges, first = _edges(connection, watch, clock, everything), _first_open(connection, watch)
    if all(edge <= first[group] for group, edge in edges.items()):
        return first
    with writing(engine) as connection, connection.begin():
        keep_still(connection, watch.name)
        edges = _edges(connection, watch, clock, everything)
        return {group: _seal_group(connection, watch, group, edge, clock) for group, edge in edges.items()}


def _edges(connection: Connection, watch: Watch, clock: int, everything: bool) -> dict[Group, int]:
    """The first bucket of each group that may not be sealed yet."""
    passed = frontier(connection, clock) - watch.lateness
    newest = _newest(connection, watch.name)
    return {
        group: newest + 1 if everything else min((passed - horizon) // watch.width, newest + 1)
        for group, horizon in watch.horizons.items()
    }


def _first_open(connection: Connection, watch: Watch) -> dict[Group, int]:
    """The first bucket of each group that is not sealed."""
    rows = sa.select(t.seal.c.grp, t.seal.c.first_open).where(t.seal.c.deployment == watch.name)
    return dict.fromkeys(Group, 0) | {Group(row.grp): int(row.first_open) for row in connection.execute(rows)}


def _newest(connection: Connection, deployment: str) -> int:
    """The newest bucket that holds anything."""
    found = [
        connection.scalar(sa.select(sa.func.max(table.c.bucket)).where(table.c.deployment == deployment))
        for table in (t.delta, t.fact, t.pair)
    ]
    return max((int(bucket) for bucket in found if bucket is not None), default=-1)


def _seal_group(connection: Connection, watch: Watch, group: Group, edge: int, clock: int) -> int:
    key = (t.seal.c.deployment == watch.name, t.seal.c.grp == str(group))
    stored = connection.scalar(sa.select(t.seal.c.first_open).where(*key))
    first = int(stored or 0)
    if edge <= first:
        return first
    rows_of = _pair_rows if group is Group.PAIR else _fact_rows
    for bucket in _unsealed(connection, watch, group, first, edge):
        if rows := rows_of(connection, watch, group, bucket):
            insert(connection, t.fact, rows)
    if stored is None:
        values = {"deployment": watch.name, "grp": str(group), "first_open": edge, "at": clock}
        connection.execute(sa.insert(t.seal).values(values))
    else:
        connection.execute(sa.update(t.seal).where(*key).values(first_open=edge, at=clock))
    return edge


def _unsealed(connection: Connection, watch: Watch, group: Group, first: int, edge: int) -> list[int]:
    """The buckets from `first` to before `edge` that hold something, one by one, so that memory stays bounded.

    What came to a bucket before `first`, after its sealing, stays apart in the table of deltas.
    """
    table = t.pair if group is Group.PAIR else t.delta
    kept: sa.ColumnElement[bool] = t.pair.c.sealed.is_(False) if group is Group.PAIR else t.delta.c.grp == str(group)
    bucket = table.c.bucket
    inside = bucket >= first, bucket < edge
    found = sa.select(bucket).distinct().where(table.c.deployment == watch.name, kept, *inside)
    return list(connection.scalars(found.order_by(bucket)))


def _fact_rows(connection: Connection, watch: Watch, group: Group, bucket: int) -> list[Row]:
    """The sealed rows of a bucket's open deltas; the deltas are gone afterwards."""
    where = (t.delta.c.deployment == watch.name, t.delta.c.grp == str(group), t.delta.c.bucket == bucket)
    bodies: dict[str, list[bytes]] = defaultdict(list)
    for row in connection.execute(sa.select(t.delta).where(*where)):
        bodies[row.layout].append(row.body)
    layouts = _layouts(connection, set(bodies))
    connection.execute(sa.delete(t.delta).where(*where))
    merged: Merged = {}
    for digest, deltas in sorted(bodies.items()):
        layout = layouts[digest]
        for variant, name, signal, series, population, counts in sealed_rows(layout, fold(layout, deltas)):
            _merge(merged, (variant, name, signal, series, str(population), "0", str(bucket)), counts)
    return [_row(watch.name, key, counts) for key, counts in sorted(merged.items())]


def _merge(merged: Merged, key: tuple[str, ...], counts: Counts) -> None:
    """One row a cell, also where two plans with one definition met in a bucket."""
    merged[key] = merged[key] + counts if key in merged else counts


def _row(deployment: str, key: tuple[str, ...], counts: Counts) -> Row:
    variant, name, signal, series, population, level, bucket = key
    return {
        "deployment": deployment,
        "variant": variant,
        "slice": name,
        "signal": signal,
        "definition": series,
        "population": population,
        "level": int(level),
        "bucket": int(bucket),
        "counts": pack_counts(counts),
    }


def _pair_rows(connection: Connection, watch: Watch, group: Group, bucket: int) -> list[Row]:
    """Pair facts of a bucket's unsealed pairs, whose arms are final from now on."""
    where = (t.pair.c.deployment == watch.name, t.pair.c.bucket == bucket, t.pair.c.sealed.is_(False))
    found = connection.execute(sa.select(t.pair).where(*where)).all()
    arms = _arms(connection, where)
    layouts = _layouts(connection, {row.layout for row in found})
    by_layout: dict[str, list[Pair]] = defaultdict(list)
    for row in found:
        by_layout[row.layout].append(_pair(row, arms.get(row.pair_id, {})))
    connection.execute(sa.update(t.pair).where(*where).values(sealed=True))
    merged: Merged = {}
    for digest, pairs in sorted(by_layout.items()):
        _add_pairs(merged, layouts[digest], distinct(pairs))
    return [_row(watch.name, key, counts) for key, counts in sorted(merged.items())]


def _add_pairs(merged: Merged, layout: Layout, pairs: Iterable[Pair]) -> None:
    for pair in pairs:
        members = np.flatnonzero(np.unpackbits(np.frombuffer(pair.mask, np.uint8), count=len(layout.slices)))
        for d, definition in enumerate(layout.definitions):
            counts = pair_counts(pair, definition.signal, value=definition.signal in VALUES)
            for s in members.tolist():
                key = (pair.variant, layout.slices[s][0], definition.signal, layout.series(d, s))
                _merge(merged, (*key, str(Population.PAIR), str(pair.level), str(pair.bucket)), counts)


def _arms(connection: Connection, where: Sequence[Any]) -> dict[str, dict[Arm, dict[str, int]]]:
    joined = sa.select(t.arm.c.pair_id, t.arm.c.arm, t.arm.c.outcomes).join_from(
        t.arm, t.pair, t.arm.c.pair_id == t.pair.c.pair_id
    )
    arms: dict[str, dict[Arm, dict[str, int]]] = defaultdict(dict)
    for row in connection.execute(joined.where(*where)):
        arms[row.pair_id][Arm(row.arm)] = msgspec.json.decode(row.outcomes, type=dict[str, int])
    return arms


def _pair(row: Any, arms: dict[Arm, dict[str, int]]) -> Pair:
    return Pair(
        pair_id=row.pair_id,
        deployment=row.deployment,
        variant=row.variant,
        bucket=row.bucket,
        mask=row.mask,
        level=row.level,
        event_hash=unsigned(row.event_hash),
        prompt_hash=unsigned(row.prompt_hash),
        arms=arms,
    )


def _layouts(connection: Connection, digests: set[str]) -> dict[str, Layout]:
    rows = connection.execute(sa.select(t.layout).where(t.layout.c.digest.in_(sorted(digests))))
    return {row.digest: decode_layout(row.body) for row in rows}
