"""The store in memory, behind a server that is simulated: the real tables and statements, on SQLite in memory's files.

What the server does as PostgreSQL does: writers wait for each other, readers see the moment at which they began, a
session that idles in its transaction is ended and its work undone, and so is that of a process that died. A statement
may be refused, and a commit may be done though its reply is lost.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from services.store.engine import open_engine
from tests.sim.chaos import Chaos
from tests.sim.jobs import wait
from tests.sim.loop import OWNER, Loop, Process
from tests.support.stores import _template

FOLDER: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where stores in memory lie; None for a disk, where there is no such place."""
IDLE: Final = 2.0
"""Seconds after which a session that idles in its transaction is ended."""
_PATIENCE: Final = 15.0
_COMMIT: Final = 5
_QUICK: Final = ("synchronous=OFF", "busy_timeout=0", "secure_delete=OFF", "journal_size_limit=-1")


class Session:
    """What the server knows of one connection."""

    def __init__(self) -> None:
        self.owner: Process | None = None
        self.open = False
        self.ended = ""
        self.active = 0.0


class Place:
    """Where one store after the other lies: an engine that keeps what it has learned of the statements."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "store.db"
        self.engine: Engine = open_engine(f"sqlite:///{self.file}")
        pool: Any = self.engine.pool
        pool._max_overflow = -1  # those who die do not give their connections back
        sa.event.listen(self.engine, "connect", _make_quick)

    def clear(self) -> None:
        """Takes the store away and puts an empty one in its place."""
        self.engine.dispose()
        for file in self.file.parent.glob("store.db*"):
            file.unlink()
        self.file.write_bytes(_template())


class Server:
    """One database, from empty on. `engine` is what every process works with, until `close`."""

    def __init__(self, place: Place, loop: Loop, chaos: Chaos) -> None:
        place.clear()
        self.engine = place.engine
        self._loop = loop
        self._chaos = chaos
        self._sessions: dict[Any, Session] = {}
        self._writer: Any = None
        for name in ("close", "invalidate"):
            sa.event.listen(self.engine, name, self._on_close)
        dialect: Any = self.engine.dialect
        self._execute, self._executemany = dialect.do_execute, dialect.do_executemany
        self._commit, self._rollback = dialect.do_commit, dialect.do_rollback
        dialect.do_execute, dialect.do_executemany = self._on_execute, self._on_executemany
        dialect.do_commit, dialect.do_rollback = self._on_commit, self._on_rollback

    def close(self) -> None:
        """Ends all sessions, and leaves the engine as it was."""
        dialect: Any = self.engine.dialect
        for name in ("do_execute", "do_executemany", "do_commit", "do_rollback"):
            delattr(dialect, name)
        for name in ("close", "invalidate"):
            sa.event.remove(self.engine, name, self._on_close)
        self.engine.dispose()

    def _on_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        self._reach(cursor.connection, statement)
        self._execute(cursor, statement, parameters, context)
        self._reached(cursor.connection, statement)

    def _on_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        self._reach(cursor.connection, statement)
        self._executemany(cursor, statement, parameters, context)
        self._reached(cursor.connection, statement)

    def _reach(self, raw: Any, statement: str) -> None:
        owner = OWNER.get()
        if owner is None:
            return
        session = self._sessions.setdefault(raw, Session())
        if statement.startswith("BEGIN"):
            session.owner, session.open, session.ended, session.active = owner, True, "", self._loop.time()
        self._chaos.point(_said(statement), _weight(statement))
        if self._chaos.happens(self._chaos.weather.refuse):
            self._chaos.note("is cut off")
            self._end(raw, "the connection was lost")
        self._check(raw)
        if statement == "BEGIN IMMEDIATE":
            self._queue_up(raw)

    def _reached(self, raw: Any, statement: str) -> None:
        session = self._sessions.get(raw)
        if session is not None:
            session.active = self._loop.time()

    def _on_commit(self, connection: Any) -> None:
        raw = connection.dbapi_connection
        session = self._sessions.get(raw)
        if session is None or OWNER.get() is None or not session.open:
            self._commit(connection)
            return
        self._chaos.point("commit", _COMMIT)
        self._check(raw)
        if raw is self._writer and self._chaos.happens(self._chaos.weather.refuse):
            self._end(raw, "the commit was refused")
            self._check(raw)
        self._commit(connection)
        written = raw is self._writer
        self._close(raw)
        if written:
            self._chaos.note("committed")
            self._chaos.point("committed", _COMMIT)
            if self._chaos.happens(self._chaos.weather.lose_reply):
                self._chaos.note("never hears that it committed")
                raise sqlite3.OperationalError("the connection was lost")

    def _on_rollback(self, connection: Any) -> None:
        raw = connection.dbapi_connection
        self._rollback(connection)
        if raw in self._sessions:
            self._close(raw)

    def _on_close(self, raw: Any, *_: Any) -> None:
        if raw in self._sessions:
            self._close(raw)
            del self._sessions[raw]

    def _queue_up(self, raw: Any) -> None:
        """Waits until nobody else writes."""
        since = self._loop.time()
        while self._writer is not None and self._writer is not raw:
            if self._loop.time() - since > _PATIENCE:
                self._end(raw, "lock time-out")
            else:
                wait(self._loop, 0.02)
                self._end_idle()
            self._sessions[raw].active = self._loop.time()
            self._check(raw)
        self._writer = raw

    def _end_idle(self) -> None:
        held = self._sessions.get(self._writer)
        if held is not None and self._loop.time() - held.active > IDLE:
            self._end(self._writer, "idle in transaction")

    def _check(self, raw: Any) -> None:
        """Refuses what comes by a session that was ended, or from one who is dead."""
        session = self._sessions[raw]
        if session.open and not session.ended and self._loop.time() - session.active > IDLE and raw is self._writer:
            self._end(raw, "idle in transaction")
        if session.ended:
            raise sqlite3.OperationalError(f"terminating connection: {session.ended}")

    def _end(self, raw: Any, why: str) -> None:
        """Undoes what a session has not committed, and lets it do no more."""
        raw.rollback()
        self._close(raw)
        self._sessions[raw].ended = why

    def _close(self, raw: Any) -> None:
        self._sessions[raw].open = False
        if self._writer is raw:
            self._writer = None


def _make_quick(connection: sqlite3.Connection, _: Any) -> None:
    for pragma in _QUICK:
        connection.execute(f"PRAGMA {pragma}")


def _said(statement: str) -> str:
    return " ".join(statement.split(None, 4)[:3])


def _weight(statement: str) -> int:
    """How much a point is worth: few of a run's statements are a look's or an alert's."""
    if statement == "BEGIN IMMEDIATE":
        return 4
    return 3 if any(f" {table}" in statement for table in ("look ", "alert ", "outbox ", "transition ")) else 1
