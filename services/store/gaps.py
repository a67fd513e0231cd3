"""Gaps: what a source no longer held when it was to be read. Kept for good, for nothing is skipped silently."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from services.gap import Gap
from services.store import tables as t
from services.store.bulk import insert_new


def record(engine: Engine, gap: Gap, now: int) -> None:
    """Writes a gap, once however often it is met, and closes its source: behind a gap nothing goes on."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        values = {
            "source": gap.source,
            "position": gap.position,
            "until": gap.until,
            "reason": str(gap.reason),
            "at": now,
        }
        insert_new(connection, t.gap, [values])
        connection.execute(sa.update(t.position).where(t.position.c.source == gap.source).values(closed=True))


def gaps(connection: Connection, limit: int) -> list[Any]:
    """The newest gaps, as (source, position, until, reason, at)."""
    g = t.gap.c
    wanted = sa.select(g.source, g.position, g.until, g.reason, g.at).order_by(g.id.desc()).limit(limit)
    return list(connection.execute(wanted))


def count(connection: Connection) -> int:
    """How many gaps there are."""
    return connection.scalar(sa.select(sa.func.count()).select_from(t.gap)) or 0
