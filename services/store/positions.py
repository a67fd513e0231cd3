"""Positions of many logs at once: what a folder's files are matched against, and the watermarks of idle ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from services.store.commit import writing
from services.store.tables import position


@dataclass(frozen=True, slots=True)
class Position:
    """How far a source was read: up to `next`, where `mark` is a hash of what lies before."""

    source: str
    incarnation: str
    next: int
    mark: str
    closed: bool


def positions(connection: Connection, prefix: str) -> list[Position]:
    """The positions of all sources whose name begins with `prefix`, in the order of their names."""
    p = position.c
    columns = p.source, p.incarnation, p.next, p.mark, p.closed
    wanted = sa.select(*columns).where(p.source.startswith(prefix, autoescape=True)).order_by(p.source)
    rows = (Position(*row) for row in connection.execute(wanted))
    return [row for row in rows if row.source.startswith(prefix)]  # LIKE of SQLite takes capitals for small letters


def advance(engine: Engine, sources: Sequence[str], watermark: int) -> None:
    """Moves the watermarks of open sources that hold nothing new, in one transaction; never back."""
    if not sources:
        return
    behind = position.c.source.in_(sources), position.c.watermark < watermark, position.c.closed.is_(False)
    with writing(engine) as connection, connection.begin():
        connection.execute(sa.update(position).where(*behind).values(watermark=watermark))
