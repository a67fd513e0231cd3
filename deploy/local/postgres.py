"""A PostgreSQL server in a temporary directory."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg

from deploy.local.child import end_with_us
from deploy.local.errors import NoServer

VARIABLE: Final = "DATABASE_URL"
"""Names a server that runs already, which is used instead."""

HASTY: Final = (
    ("fsync", "off"),  # what lies there may be lost with the machine, not with the server
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
)
_SETTINGS: Final = (("max_connections", "200"), ("shared_buffers", "64MB"), ("listen_addresses", "127.0.0.1"))


class Server:
    """A server of our own, which may be stopped and started again. `durable` keeps what is committed through a kill."""

    def __init__(self, *, durable: bool = False) -> None:
        if not _program("initdb"):
            raise NoServer(f"no PostgreSQL: install the package postgresql, or set {VARIABLE}")
        self._folder = Path(tempfile.mkdtemp(prefix="quantwatch-postgres-"))
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        self._settings = _SETTINGS if durable else (*HASTY, *_SETTINGS)
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
    def pid(self) -> int:
        """Its process, whose children work; 0 while there is none."""
        return self._process.pid if self._process else 0

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
                    raise NoServer(f"PostgreSQL does not start:\n{self._log.read_text()[-2000:]}") from None
                time.sleep(0.05)

    def stop(self, how: int = signal.SIGINT) -> None:
        """Ends it: SIGINT closes all connections, SIGQUIT is a crash; it recovers at its start."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """Ends all its processes at once, as `kill -9` does; it recovers at its start (Linux)."""
        if self._process is not None:
            main = self._process.pid
            children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
            for pid in (main, *map(int, children)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
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
                group=self._user, start_new_session=True, preexec_fn=end_with_us(signal.SIGQUIT),
            )  # fmt: skip


def _program(name: str) -> str | None:
    places = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *places)))
