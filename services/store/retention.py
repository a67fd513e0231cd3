"""What is forgotten: ids and tails whose time has passed, and texts at the end of their days."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from services.store import tables as t
from services.store.commit import writing
from services.store.queries import served
from services.store.sealing import frontier


def forget_builds(engine: Engine, deployment: str, before: int) -> int:
    """Deletes the facts of builds that have not served in or after bucket `before`; how many rows went.

    Facts of a build that serves stay from its first day on: its evidence since the deploy is made of them. Looks and
    alerts stay in any case.
    """
    with writing(engine) as connection, connection.begin():
        gone = [name for name, (_, last) in served(connection, deployment).items() if last < before]
        f = t.fact.c
        return connection.execute(sa.delete(t.fact).where(f.deployment == deployment, f.variant.in_(gone))).rowcount


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
