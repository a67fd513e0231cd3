"""Records that were set aside: looking at one, taking them up again, and telling which were relayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from services.store.commit import writing
from services.store.tables import quarantine

_q = quarantine.c


@dataclass(frozen=True, slots=True)
class Aside:
    """A record with where it lay and why it was not taken. `body` is None where no text is kept."""

    id: int
    source: str
    position: int
    reason: str
    detail: str
    at: int
    key: bytes | None
    body: bytes | None


def one(connection: Connection, number: int) -> Aside | None:
    """The record with this number."""
    return next(iter(_read(connection, (_q.id == number,), 1)), None)


def kept(connection: Connection, reason: str | None, numbers: Sequence[int], limit: int) -> list[Aside]:
    """Those whose text is kept, oldest first: of one reason, or of some numbers, or all."""
    where: list[sa.ColumnElement[bool]] = [_q.body.is_not(None)]
    where += [_q.reason == reason] if reason else []
    where += [_q.id.in_(numbers)] if numbers else []
    return _read(connection, where, limit)


def take_away(engine: Engine, numbers: Sequence[int]) -> None:
    """Forgets records that have been taken up again."""
    with writing(engine) as connection, connection.begin():
        connection.execute(sa.delete(quarantine).where(_q.id.in_(numbers)))


def to_relay(connection: Connection, prefix: str, limit: int) -> list[Aside]:
    """The oldest records of sources that begin so, not relayed yet; nobody else gets them in this transaction."""
    where = (_q.relayed.is_(None), _q.source.startswith(prefix, autoescape=True), _q.body.is_not(None))
    return _read(connection, where, limit, lock=True)


def note_relayed(connection: Connection, numbers: Sequence[int], now: int) -> None:
    """Notes that these have been relayed."""
    connection.execute(sa.update(quarantine).where(_q.id.in_(numbers)).values(relayed=now))


def _read(connection: Connection, where: Sequence[Any], limit: int, *, lock: bool = False) -> list[Aside]:
    columns = (_q.id, _q.source, _q.position, _q.reason, _q.detail, _q.at, _q.key, _q.body)
    wanted = sa.select(*columns).where(*where).order_by(_q.id).limit(limit)
    if lock:
        wanted = wanted.with_for_update(skip_locked=True)  # SQLite knows no such lock, and needs none
    return [Aside(*row) for row in connection.execute(wanted)]
