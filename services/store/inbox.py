"""The inbox: raw records as they came over HTTP, kept until the step has taken them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from services.store.tables import inbox

_LOCK: Final = 0x1B0C


def accept(engine: Engine, bodies: Sequence[bytes], now_ms: int) -> list[int]:
    """Stores records in their order, all or none, and returns their ids once they are committed.

    Ids are committed in ascending order, so that a reader who has seen one has seen all before it.
    """
    if not bodies:
        return []
    rows = [{"received_at": now_ms, "body": body} for body in bodies]
    insert = inbox.insert().returning(inbox.c.id, sort_by_parameter_order=True)
    with engine.connect().execution_options(writes=True) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        ids = list(connection.scalars(insert, rows))
        connection.commit()
    return ids


def read(connection: sa.Connection, after_id: int, limit: int) -> list[tuple[int, int, bytes]]:
    """Up to `limit` (id, arrival in milliseconds, record) behind `after_id`, in the order of their ids."""
    query = sa.select(inbox.c.id, inbox.c.received_at, inbox.c.body).where(inbox.c.id > after_id)
    return [(row.id, row.received_at, row.body) for row in connection.execute(query.order_by(inbox.c.id).limit(limit))]


def delete_through(connection: sa.Connection, last_id: int) -> int:
    """Forgets the records up to and with `last_id`; returns how many there were."""
    return connection.execute(inbox.delete().where(inbox.c.id <= last_id)).rowcount
