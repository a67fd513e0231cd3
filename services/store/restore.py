"""Rebuilding a step's memory from the store: what a driver does at its start, and after a commit that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from monitor.plan import Plan
from monitor.run import OpenJoin
from monitor.state import State
from monitor.watch import Group, Watch, Watching
from services.store import tables as t
from services.store.bits import unsigned
from services.store.epochs import read_epochs


def restore(engine: Engine, plan: Plan, watching: Watching = Watch, only: Sequence[str] | None = None) -> State:
    """A state equal to one that never left, for all open sources together, or for `only` some: what they wrote."""
    with engine.connect() as connection:
        epochs = read_epochs(connection)
        state = State(plan, lambda name: epochs.get(name, []), watching)
        positions = connection.execute(_of(t.position, only).where(t.position.c.closed.is_(False)))
        state.restore(
            watermarks={row.source: row.watermark for row in positions},
            seen=[(r.expires, r.body) for r in connection.execute(_of(t.seen, only).order_by(t.seen.c.id))],
            tails=[(r.deployment, r.body) for r in connection.execute(_of(t.tail, only).order_by(t.tail.c.id))],
            joins=[_join(row) for row in connection.execute(_of(t.open_join, only))],
            sealed=first_open(connection, Group.LIVE),
        )
        return state


def _of(table: sa.Table, only: Sequence[str] | None) -> sa.Select[Any]:
    wanted = sa.select(table)
    return wanted if only is None else wanted.where(table.c.source.in_(only))


def first_open(connection: Connection, group: Group) -> dict[str, int]:
    """For each deployment the first bucket of a group that is not sealed yet."""
    rows = connection.execute(sa.select(t.seal.c.deployment, t.seal.c.first_open).where(t.seal.c.grp == str(group)))
    return {row.deployment: row.first_open for row in rows}


def _join(row: sa.Row[tuple[object, ...]]) -> OpenJoin:
    stored = row._asdict()
    del stored["source"]
    return OpenJoin(**stored | {"request": unsigned(stored["request"]), "event_hash": unsigned(stored["event_hash"])})
