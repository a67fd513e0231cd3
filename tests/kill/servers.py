"""A broker and a PostgreSQL that may be killed, shared by runs: a topic and a database of its own for each."""

from __future__ import annotations

import itertools
from types import TracebackType

import psycopg
import sqlalchemy as sa

from deploy.local.postgres import Server
from services.store.engine import open_engine, upgrade
from tests.support.kafka import Kafka

_TEMPLATE = "quantwatch_template"


class Servers:
    """Both, until the block ends. The broker is whoever's it is: see `Kafka.broker`."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.postgres = Server(durable=True)
        self._numbers = itertools.count()
        self._do(f"CREATE DATABASE {_TEMPLATE}")
        engine = open_engine(self._url(_TEMPLATE))
        upgrade(engine)
        engine.dispose()

    def __enter__(self) -> Servers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, way: TracebackType | None
    ) -> None:
        self.postgres.remove()

    def database(self) -> str:
        """The URL of a new database of the newest schema."""
        name = f"run_{next(self._numbers)}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self._url(name)

    def drop(self, url: str) -> None:
        """Takes a database away."""
        self._do(f"DROP DATABASE IF EXISTS {sa.make_url(url).database} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return sa.make_url(self.postgres.url).set(database=name).render_as_string(hide_password=False)

    def _do(self, statement: str) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(statement.encode())
