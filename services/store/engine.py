"""Opening the database: one URL in, one engine out, its schema the newest."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.pool import ConnectionPoolEntry

import migrations
from services.errors import StoreError
from services.extras import needed
from services.store.bulk import first_line

DEFAULT_URL = "sqlite:///quantwatch.db"
NEWEST = max(path.name[:4] for path in (Path(migrations.__file__).parent / "versions").glob("[0-9]*.py"))
"""The schema's newest version: migrations are files named by their number."""

_SESSION = "-c idle_in_transaction_session_timeout=30s -c lock_timeout=30s -c tcp_user_timeout=30s"


def open_engine(url: str) -> Engine:
    """An engine for a database URL; raises `StoreError` with one line if the URL or its place is wrong."""
    try:
        parsed = _with_driver(sa.make_url(url))
        remote = parsed.get_backend_name() != "sqlite"
        engine = sa.create_engine(parsed, hide_parameters=True, pool_pre_ping=remote, connect_args=_patience(parsed))
    except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
        said = needed(error) if isinstance(error, ModuleNotFoundError) else None
        raise StoreError(
            f"database URL {sa.engine.make_url(url).render_as_string() if '://' in url else url!r}: {said or error}"
        ) from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_immediate)
    else:
        sa.event.listen(engine, "begin", _begin_impatient)
        sa.event.listen(engine, "handle_error", _without_details)
    return engine


def _with_driver(url: sa.URL) -> sa.URL:
    """`postgresql://…` and `postgres://…` mean the driver that we bring."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _patience(url: sa.URL) -> dict[str, Any]:
    """How long a server may leave us waiting, and we it: nobody holds locks while it is stopped or unreachable."""
    if url.drivername != "postgresql+psycopg":
        return {}
    given = {"connect_timeout": 5, "application_name": "quantwatch", "options": _SESSION}
    return {name: value for name, value in given.items() if name not in url.query}


def upgrade(engine: Engine) -> None:
    """Brings the schema to the newest version; does nothing where it is there already. One process at a time does."""
    try:
        if _version(engine) != NEWEST:
            from services.store.migrating import bring_up  # loads Alembic, which is seldom needed

            bring_up(engine)
    except sa.exc.DatabaseError as error:
        raise StoreError(f"cannot open the database: {first_line(error.orig)}") from None


def _version(engine: Engine) -> str | None:
    """The version of the schema; None where there is none yet."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return found


def _begin_impatient(connection: sa.Connection) -> None:
    """A process that is stopped in the middle of writing gives its locks back after some seconds."""
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '10s'")


def _without_details(context: sa.engine.ExceptionContext) -> None:
    """The server's details repeat the row, with what a user wrote; no log and no error shall."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args:
            error.args = (first_line(error.args[0]), *error.args[1:])


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # The driver's own transaction control is off: `_begin_immediate` says when one begins.
    connection.isolation_level = None
    # The page size counts for new files only: runs are stored in large blobs, which smaller pages cut into more writes.
    for pragma in ("page_size=8192", "journal_mode=WAL", "synchronous=FULL", "busy_timeout=15000", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    """Writers queue up at BEGIN instead of failing in the middle; readers in WAL mode are not held up by them."""
    immediate = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
