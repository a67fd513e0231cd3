"""Runs a command with a Kafka broker and a PostgreSQL, and ends what was started for it.

    python -m deploy.local COMMAND…
    python -m deploy.local --fetch      gets the broker's jars, if they are needed, and no more

The command finds their addresses in QUANTWATCH_KAFKA and QUANTWATCH_DB. KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL name
servers that run already: of such a database server it gets a database of its own, which is dropped afterwards.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from deploy.local import broker, jars, postgres
from deploy.local.errors import NoServer


def main(words: list[str]) -> int:
    """The command's exit status; 3 where there is no server to be had."""
    if not words:
        print(__doc__, file=sys.stderr)
        return 3
    try:
        if words == ["--fetch"]:
            if not os.environ.get(broker.VARIABLE):
                jars.fetch()
            return 0
        with _kafka() as kafka, _database() as database:
            return _run(words, {"QUANTWATCH_KAFKA": kafka, "QUANTWATCH_DB": database})
    except (NoServer, psycopg.OperationalError) as error:
        print(f"deploy.local: {error}", file=sys.stderr)
        return 3


def _run(words: list[str], addresses: dict[str, str]) -> int:
    """Signals are the command's to answer; ours is to wait for its end."""
    process = subprocess.Popen(words, env=os.environ | addresses)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: process.send_signal(number))
    return process.wait()


@contextlib.contextmanager
def _kafka() -> Iterator[str]:
    given = os.environ.get(broker.VARIABLE)
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="quantwatch-kafka-", ignore_cleanup_errors=True) as folder:
        print("starting a Kafka broker", file=sys.stderr)
        started = broker.Broker(Path(folder))
        try:
            yield started.bootstrap
        finally:
            started.kill()


@contextlib.contextmanager
def _database() -> Iterator[str]:
    given = os.environ.get(postgres.VARIABLE)
    if given:
        with _own_database(given) as url:
            yield url
        return
    print("starting a PostgreSQL", file=sys.stderr)
    server = postgres.Server()
    try:
        yield server.url
    finally:
        server.remove()


@contextlib.contextmanager
def _own_database(given: str) -> Iterator[str]:
    name = f"quantwatch_{os.getpid()}"
    with psycopg.connect(given, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield make_url(given).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(given, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
