"""On PostgreSQL, facts and deltas lie in a partition a deployment, and in it in one a month of event time.

What fits nowhere (a deployment that is new, a time that is odd) lies in a default and is read as well from there.
SQLite has no partitions; everything here does nothing there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
import xxhash
from sqlalchemy.engine import Connection, Engine

from services.store.bulk import first_line
from services.store.commit import writing
from services.store.holding import keep_still

TABLES: Final = ("fact", "delta")
MOVED: Final = 200_000
"""Rows that are moved out of a default at most; more than these stay where they are, for writers wait meanwhile."""

_AHEAD: Final = 2
_log = logging.getLogger(__name__)


def prepare(engine: Engine, widths: Mapping[str, int], now: int) -> list[str]:
    """Makes the partitions of this month and the next two, by deployments with their bucket widths in milliseconds.

    Returns the names of those that are new. Waits for nobody longer than some seconds: what cannot be had now is left
    to the next call, and its rows lie in the default until then.
    """
    made = []
    if engine.dialect.name == "postgresql":
        for deployment, width in widths.items():
            for table in TABLES:
                try:
                    with writing(engine) as connection, connection.begin():
                        new = list(_prepare(connection, table, deployment, width, now))
                    made += new
                except sa.exc.DBAPIError as error:
                    _log.warning("no partition of %s for now: %s", table, first_line(error.orig))
    return made


def drop_empty(engine: Engine, widths: Mapping[str, int], before: int) -> list[str]:
    """Drops the months that ended by `before` (milliseconds) and hold nothing any more; returns their names."""
    dropped = []
    if engine.dialect.name == "postgresql":
        for name in (_name(table, deployment) for deployment in widths for table in TABLES):
            with writing(engine) as connection, connection.begin():
                connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
                for part, month in _months(connection, name):
                    rows = sa.select(sa.literal(1)).select_from(sa.table(part)).limit(1)
                    if _start(month + 1) <= before and connection.scalar(rows) is None:
                        connection.exec_driver_sql(f"DROP TABLE {part}")
                        dropped.append(part)
    return dropped


def _prepare(connection: Connection, table: str, deployment: str, width: int, now: int) -> Iterator[str]:
    connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
    name = _name(table, deployment)
    if not _there(connection, name):
        keep_still(connection, deployment)  # before the look into the default, whose lock two would not give up
        if _waiting(connection, table, deployment) > MOVED:
            return
    new = not _there(connection, name)  # it may be by now; that look has made it known to this session
    if new:
        connection.exec_driver_sql(
            f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (bucket)"
        )
        connection.exec_driver_sql(f"CREATE TABLE {name}_others PARTITION OF {name} DEFAULT")
        yield name
    month = _month(now)
    for each in range(month, month + _AHEAD + 1):
        part = f"{name}_{each // 12}_{each % 12 + 1:02d}"
        if not _there(connection, part):
            first, last = _start(each) // width, _start(each + 1) // width
            connection.exec_driver_sql(f"CREATE TABLE {part} PARTITION OF {name} FOR VALUES FROM ({first}) TO ({last})")
            yield part
    if new:
        _move(connection, table, name, deployment)


def _move(connection: Connection, table: str, name: str, deployment: str) -> None:
    """Takes a deployment's rows out of the default and lets its own partition take their place."""
    moved = sa.text(
        f"WITH moved AS (DELETE FROM {table}_others WHERE deployment = :deployment RETURNING *) "
        f"INSERT INTO {name} SELECT * FROM moved"
    )
    connection.execute(moved, {"deployment": deployment})
    value = sa.literal(deployment).compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    connection.exec_driver_sql(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES IN ({value})")


def _name(table: str, deployment: str) -> str:
    """A deployment may be called anything; its partition is called by a hash."""
    return f"{table}_{xxhash.xxh3_64_hexdigest(deployment.encode())}"


def _there(connection: Connection, name: str) -> bool:
    return connection.scalar(sa.select(sa.func.to_regclass(name).is_not(None))) is True


def _waiting(connection: Connection, table: str, deployment: str) -> int:
    rows = sa.select(sa.literal(1)).select_from(sa.table(f"{table}_others"))
    some = rows.where(sa.column("deployment") == deployment).limit(MOVED + 1).subquery()
    return connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _months(connection: Connection, name: str) -> list[tuple[str, int]]:
    """The monthly partitions of a deployment's, with their months."""
    if not _there(connection, name):
        return []
    children = sa.text(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass(:name)"
    )
    names = sorted(connection.scalars(children, {"name": name}))
    found = [(each, each.removeprefix(f"{name}_").split("_")) for each in names]
    return [(each, int(words[0]) * 12 + int(words[1]) - 1) for each, words in found if len(words) == 2]


def _month(milliseconds: int) -> int:
    """Months since year 0."""
    day = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return day.year * 12 + day.month - 1


def _start(month: int) -> int:
    """The first millisecond of a month."""
    return int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000
