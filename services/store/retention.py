"""What is forgotten: ids and tails whose time has passed, and texts at the end of their days."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from services.store import tables as t
from services.store.commit import writing
from services.store.sealing import frontier


def forget(engine: Engine, clock: int, keep: int | None) -> None:
    """Deletes what nobody may ask for any more. Facts, looks and alerts stay.

    `keep` is how long texts are kept, in milliseconds; replays that waited longer than that are given up.
    """
    with writing(engine) as connection, connection.begin():
        passed = min(frontier(connection, clock), clock)
        for table in (t.seen, t.tail, t.open_join):
            connection.execute(sa.delete(table).where(table.c.expires < passed))
        for table in (t.pair_text, t.quarantine):
            connection.execute(sa.delete(table).where(table.c.expires < clock))
        if keep is not None:
            connection.execute(sa.delete(t.queue).where(t.queue.c.at < clock - keep))
