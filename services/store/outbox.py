"""The outbox: notifications that were decided in a transaction and are delivered outside of one.

A row is `pending` until it is `delivered` or `dead` (a dead letter). Its (alert, transition) names the notification
for the receiver, the same at every attempt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from services.store.tables import outbox

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"


@dataclass(frozen=True, slots=True)
class Letter:
    """One notification for one destination. `attempts` counts those already made; times are milliseconds."""

    id: int
    alert: str
    transition: str
    destination: str
    body: str
    attempts: int
    next_at: int

    @property
    def key(self) -> str:
        """The idempotency key: what happened to which alert."""
        return f"{self.alert}_{self.transition}"


def put(
    connection: sa.Connection, alert: str, transition: str, destinations: Iterable[str], body: str, now_ms: int
) -> int:
    """Writes a notification for each destination that has none yet; returns how many were written."""
    known = connection.scalars(
        sa.select(outbox.c.destination).where(outbox.c.alert == alert, outbox.c.transition == transition)
    )
    new = sorted(set(destinations) - set(known))
    common = {"alert": alert, "transition": transition, "body": body, "at": now_ms}
    rows = [{**common, "destination": d, "attempts": 0, "next_at": now_ms, "state": PENDING} for d in new]
    if rows:
        connection.execute(outbox.insert(), rows)
    return len(rows)


def told(connection: sa.Connection, alert: str) -> list[str]:
    """The destinations to which an alert's opening was written."""
    query = sa.select(outbox.c.destination).where(outbox.c.alert == alert, outbox.c.transition == "opened")
    return sorted(connection.scalars(query))


def waiting(connection: sa.Connection, now_ms: int) -> list[str]:
    """The destinations for which something is due."""
    query = sa.select(outbox.c.destination).where(outbox.c.state == PENDING, outbox.c.next_at <= now_ms).distinct()
    return sorted(connection.scalars(query))


def claim(connection: sa.Connection, destination: str, now_ms: int, until_ms: int) -> Letter | None:
    """The oldest due letter of a destination, kept from others until `until_ms`; None if there is none.

    Of two who claim at once only one gets it.
    """
    columns = [outbox.c[name] for name in Letter.__dataclass_fields__]
    due = sa.select(*columns).where(
        outbox.c.destination == destination, outbox.c.state == PENDING, outbox.c.next_at <= now_ms
    )
    row = connection.execute(due.order_by(outbox.c.id).limit(1).with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    mine = outbox.c.id == row.id, outbox.c.state == PENDING, outbox.c.next_at == row.next_at
    taken = connection.execute(outbox.update().where(*mine).values(next_at=until_ms))
    return Letter(**{**row._mapping, "next_at": until_ms}) if taken.rowcount == 1 else None


def settle(connection: sa.Connection, letter: Letter, state: str, next_at: int, error: str | None) -> bool:
    """Records an attempt, unless the claim ran out and somebody else has it; says whether it did."""
    mine = outbox.c.id == letter.id, outbox.c.state == PENDING, outbox.c.next_at == letter.next_at
    values = {"state": state, "attempts": letter.attempts + 1, "next_at": next_at, "error": error}
    return connection.execute(outbox.update().where(*mine).values(**values)).rowcount == 1


def dead_letters(connection: sa.Connection) -> int:
    """How many notifications could not be delivered."""
    query = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.state == DEAD)
    return connection.scalar(query) or 0
