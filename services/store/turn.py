"""Evaluations take turns: one at a time a deployment, whoever has it, each on one snapshot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from services.store import tables as t
from services.store.bulk import insert_new
from services.store.commit import writing

IDLE: Final = 2.0
"""Seconds after which a turn is lost whose process is stopped."""

_TURN: Final = 0x1B0F


@contextmanager
def take_turn(engine: Engine, deployment: str, worker: str, now: int) -> Iterator[Connection | None]:
    """The transaction of one evaluation; None where another process is at it.

    All reads inside see one moment, and what is written inside is committed only if no other evaluation was committed
    since that moment. A process that is stopped in between loses its turn after two seconds and can commit nothing.
    """
    if engine.dialect.name == "sqlite":
        with writing(engine) as connection, connection.begin():
            _move(connection, deployment, worker, now)
            yield connection
        return
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE}s'")
        if not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_TURN, sa.func.hashtext(deployment)))):
            yield None
            return
        # The snapshot is a little older than the lock. If somebody moved the row in between, this fails.
        _move(connection, deployment, worker, now)
        with _awake(connection):
            yield connection


def _move(connection: Connection, deployment: str, worker: str, now: int) -> None:
    insert_new(connection, t.evaluation, [{"deployment": deployment, "turn": 0, "at": now, "worker": worker}])
    mine = sa.update(t.evaluation).where(t.evaluation.c.deployment == deployment)
    connection.execute(mine.values(turn=t.evaluation.c.turn + 1, at=now, worker=worker))


@contextmanager
def _awake(connection: Connection) -> Iterator[None]:
    """Keeps the session from being idle while this process computes: a thread speaks, as long as the process runs."""
    import psycopg  # an extra

    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    over = threading.Event()

    def speak() -> None:
        while not over.wait(IDLE / 4):
            try:
                raw.execute("SELECT 1")
            except psycopg.Error:  # the evaluation meets it, too, and says so
                return

    thread = threading.Thread(target=speak, name="awake", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
