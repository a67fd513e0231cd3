"""A real PostgreSQL for tests: `DATABASE_URL`, else a server in a temporary directory; a database of its own a test."""

from __future__ import annotations

import atexit
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

import psycopg
import sqlalchemy as sa

from services.store.engine import open_engine, upgrade

VARIABLE: Final = "DATABASE_URL"
SETTINGS: Final = (
    ("fsync", "off"),  # a test's data may be lost with the machine, not with the server
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("max_connections", "200"),
    ("shared_buffers", "64MB"),
    ("listen_addresses", "127.0.0.1"),
)
_PR_SET_PDEATHSIG: Final = 1
_names = itertools.count()


def _program(name: str) -> str | None:
    places = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *places)))


class Server:
    """A server of our own, which a test may stop and start again. `durable` keeps what is committed through a kill."""

    def __init__(self, *, durable: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="quantwatch-postgres-"))
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        self._settings = [s for s in SETTINGS if not (durable and s[1] == "off")]
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        flags = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D", str(self._data))
        self._run(_program("initdb") or "initdb", *flags).wait(60)
        self.start()

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        flags = [f"-c{name}={value}" for name, value in self._settings]
        at = ("-D", str(self._data), "-p", str(self.port), "-k", str(self._folder))
        self._process = self._run(_program("postgres") or "postgres", *at, *flags)
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL does not start:\n{self._log.read_text()[-2000:]}") from None
                time.sleep(0.05)

    def stop(self, how: int = signal.SIGINT) -> None:
        """Ends it: SIGINT closes all connections, SIGQUIT is a crash; it recovers at its start."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        """Ends it for good."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command, cwd="/", stdout=log, stderr=log, user=self._user, extra_groups=[] if self._user else None,
                group=self._user, start_new_session=True, preexec_fn=_end_with_us,
            )  # fmt: skip


def _end_with_us() -> None:
    """In the child, after it changed its user: no server outlives tests that were killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


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
