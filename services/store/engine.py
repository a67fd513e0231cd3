"""Opening the database: one URL in, one engine out, its schema brought up by Alembic."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine
from sqlalchemy.pool import ConnectionPoolEntry

import migrations
from services.errors import StoreError

DEFAULT_URL = "sqlite:///quantwatch.db"


def open_engine(url: str) -> Engine:
    """An engine for a database URL; raises `StoreError` with one line if the URL or its place is wrong."""
    try:
        engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=not url.startswith("sqlite"))
    except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
        raise StoreError(
            f"database URL {sa.engine.make_url(url).render_as_string() if '://' in url else url!r}: {error}"
        ) from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_immediate)
    return engine


def upgrade(engine: Engine) -> None:
    """Brings the schema to the newest version; does nothing where it is there already."""
    try:
        with engine.connect() as connection:
            command.upgrade(_config(connection), "head")
    except sa.exc.DatabaseError as error:
        raise StoreError(f"cannot open the database: {error.orig}") from None


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # The driver's own transaction control is off: `_begin_immediate` says when one begins.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=15000", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    """Writers queue up at BEGIN instead of failing in the middle; readers in WAL mode are not held up by them."""
    immediate = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
