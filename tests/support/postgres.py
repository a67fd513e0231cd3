"""A real PostgreSQL for tests: `DATABASE_URL`, else a server in a temporary directory; a database of its own a test."""

from __future__ import annotations

import atexit
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import psycopg
import sqlalchemy as sa

from deploy.local.postgres import VARIABLE, Server
from services.store.engine import open_engine, upgrade

_names = itertools.count()


@cache
def url() -> str:
    """The server that this session's tests share."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    server = Server()
    atexit.register(server.remove)
    return server.url


@cache
def _template() -> str:
    """A database of the newest schema, made once by the real migrations."""
    name = f"quantwatch_template_{os.getpid()}"
    _do(f"CREATE DATABASE {name}")
    engine = open_engine(_of(name))
    upgrade(engine)
    engine.dispose()
    if os.environ.get(VARIABLE):
        atexit.register(drop, _of(name))
    return name


def create(*, empty: bool = False) -> str:
    """The URL of a new database of the newest schema, or of one without tables."""
    name = f"quantwatch_test_{os.getpid()}_{next(_names)}"
    _do(f"CREATE DATABASE {name}" if empty else f"CREATE DATABASE {name} TEMPLATE {_template()}")
    return _of(name)


def drop(database: str) -> None:
    """Takes a database away, whoever is still connected."""
    with suppress(psycopg.OperationalError):
        _do(f"DROP DATABASE IF EXISTS {sa.make_url(database).database} WITH (FORCE)")


@contextmanager
def database(*, empty: bool = False) -> Iterator[str]:
    """A database as long as the block lasts."""
    made = create(empty=empty)
    try:
        yield made
    finally:
        drop(made)


def _of(name: str) -> str:
    return sa.make_url(url()).set(database=name).render_as_string(hide_password=False)


def _do(statement: str) -> None:
    with psycopg.connect(url(), autocommit=True) as connection:
        connection.execute(statement.encode())
