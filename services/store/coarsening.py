"""Coarsening: old counts of all requests, which are for display, are merged over wider buckets."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from monitor.facts import pack_counts, unpack_counts
from monitor.model import Population
from services.store import tables as t
from services.store.bulk import insert
from services.store.commit import writing

_AT_ONCE: Final = 24
"""Wide buckets merged in one transaction."""

_KEY = ("variant", "slice", "signal", "definition", "level")


def coarsen(engine: Engine, deployment: str, wide: int, before: int) -> int:
    """Merges the buckets before `before` by `wide` of them, each into the first of its stretch; how many rows went.

    Only counts of all requests: units and pairs stay as they were sealed, so no evidence changes. Merged rows are met
    again and left as they are; broken off, it goes on where it was.
    """
    gone = 0
    f = t.fact.c
    mine = f.deployment == deployment, f.population == str(Population.ALL)
    with engine.connect() as connection:
        first = connection.scalar(sa.select(sa.func.min(f.bucket)).where(*mine))
    if wide < 2 or first is None:
        return 0
    last = before // wide
    for start in range(int(first) // wide, last, _AT_ONCE):
        span = f.bucket >= start * wide, f.bucket < min(start + _AT_ONCE, last) * wide
        with writing(engine) as connection, connection.begin():
            gone += _merge(connection, (*mine, *span), deployment, wide)
    return gone


def _merge(connection: Connection, where: tuple[sa.ColumnElement[bool], ...], deployment: str, wide: int) -> int:
    cells: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    rows = connection.execute(sa.select(t.fact).where(*where).with_for_update()).all()
    for row in rows:
        cells[*(getattr(row, name) for name in _KEY), row.bucket // wide * wide].append(row)
    merged = [_one(deployment, key, found) for key, found in sorted(cells.items())]
    if len(merged) == len(rows):
        return 0
    connection.execute(sa.delete(t.fact).where(*where))
    insert(connection, t.fact, merged)
    return len(rows) - len(merged)


def _one(deployment: str, key: tuple[Any, ...], rows: list[Any]) -> dict[str, Any]:
    counts = sum(unpack_counts(row.counts) for row in rows)
    same = {"deployment": deployment, "population": str(Population.ALL), "counts": pack_counts(counts)}  # type: ignore[arg-type]
    return dict(zip((*_KEY, "bucket"), key, strict=True)) | same
