"""The store's clock: of many machines, the database's; of one machine with a file, its own."""

from __future__ import annotations

import time

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from services.ports import Clock


def clock_of(engine: Engine) -> Clock:
    """Milliseconds since the epoch, the same for every process that works on a store. Asks the database each time."""
    if engine.dialect.name == "sqlite":
        return lambda: time.time_ns() // 1_000_000
    query = sa.select(sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1000, sa.BigInteger))

    def now() -> int:
        with engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    return now
