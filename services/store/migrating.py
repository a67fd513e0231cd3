"""Migrating the schema by Alembic."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

import migrations

_MIGRATING: Final = 0x1B0D


def bring_up(engine: Engine) -> None:
    """Brings the schema to the newest version. One process at a time does; the others wait and find it done."""
    with _alone(engine), engine.connect() as connection, _hurried(connection):
        command.upgrade(_config(connection), "head")


@contextmanager
def _hurried(connection: sa.Connection) -> Iterator[None]:
    """A migration that waits for a lock keeps all behind it waiting, too: it gives up after some seconds."""
    if connection.dialect.name == "sqlite":
        yield
        return
    connection.exec_driver_sql("SET lock_timeout = '5s'")
    connection.commit()
    yield
    connection.exec_driver_sql("RESET lock_timeout")
    connection.commit()


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Keeps others from migrating meanwhile. They ask again and again: a waiting query would hold up new indexes."""
    if engine.dialect.name == "sqlite":
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_MIGRATING))):
            time.sleep(0.2)
        try:
            yield
        finally:
            connection.scalar(sa.select(sa.func.pg_advisory_unlock(_MIGRATING)))


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config
