"""The stage of the stream benchmark: a broker, a PostgreSQL, and stream workers as processes of their own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from deploy.local.postgres import Server
from services.store.engine import open_engine, upgrade
from services.store.tables import position
from tests.bench import observed
from tests.bench.observed import Measured
from tests.support.kafka import Kafka
from tests.support.workers import positions

PARTITIONS = 4
_PATIENCE = 60
_LOOKS = 0.1

Process = subprocess.Popen[str]
Written = list[tuple[float, int]]
"""The clock, and how many there were then."""


class Stage:
    """Topics, databases and processes. The PostgreSQL keeps what it commits: nothing of its safety is off."""

    def __init__(self, kafka: Kafka, server: Server, folder: Path) -> None:
        self.kafka = kafka
        self._server = server
        self._folder = folder
        self._made = 0

    def fill(self, topic: str, events: int, seed: int, rate: str = "") -> Process:
        """Begins to write events to a topic."""
        words = [self.kafka.bootstrap, topic, str(PARTITIONS), str(events), str(seed), *([rate] if rate else [])]
        return self._start("topic", *words)

    def topic(self, events: int, seed: int, **configs: str) -> str:
        """A new topic with so many events in it."""
        topic = self.kafka.topic(PARTITIONS, **configs)
        if self.fill(topic, events, seed).wait():
            raise SystemExit("the topic was not filled")
        return topic

    def store(self) -> Engine:
        """A new database with our tables."""
        self._made += 1
        name = f"bench_{self._made}"
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        engine = open_engine(sa.make_url(self._server.url).set(database=name).render_as_string(hide_password=False))
        upgrade(engine)
        return engine

    def measure(self, what: str, topic: str, engine: Engine, events: int, workers: int = 1) -> Measured:
        """So many workers take a topic of so many events, from an empty store on."""
        with self.working(what, topic, engine, workers) as processes:
            found = self.watch(processes, lambda: sum(positions(engine, topic).values()), events)
        _all_accepted(engine, events)
        return found

    def watch(self, processes: list[Process], number: Callable[[], int], events: int) -> Measured:
        """Waits until all have been taken; measures from the first ones on."""
        _wait(lambda: number() > 0)
        before, began, used = number(), time.monotonic(), self._used(processes)
        resident: list[int] = []
        last, moved = before, began
        while (now := number()) < events:
            last, moved = (now, time.monotonic()) if now != last else (last, moved)
            if time.monotonic() - moved > _PATIENCE:
                raise SystemExit(f"nothing has moved for {_PATIENCE} s: {now:,} of {events:,} events were taken")
            resident.append(max(observed.resident(one.pid) for one in processes))
            time.sleep(_LOOKS)
        seconds, after = time.monotonic() - began, self._used(processes)
        return Measured(now - before, seconds, {name: after[name] - used[name] for name in used}, resident)

    @contextmanager
    def working(self, what: str, topic: str, engine: Engine, workers: int = 1) -> Iterator[list[Process]]:
        """Worker processes as long as the block lasts."""
        url = engine.url.render_as_string(hide_password=False)
        processes = [self._start("streaming", what, self.kafka.bootstrap, topic, url) for _ in range(workers)]
        try:
            yield processes
        finally:
            for one in processes:
                assert one.stdin is not None
                one.stdin.close()
                one.wait(timeout=60)

    def kept(self, topic: str) -> int:
        """Bytes of a topic on the broker's disk; 0 where the broker is not ours to look at."""
        found = self._folder.glob(f"data/{topic}-*/*.log")
        return sum(file.stat().st_size for file in found)

    def written(self, engine: Engine) -> tuple[int, int]:
        """Bytes of a database, and of the server's journal so far."""
        with engine.connect() as connection:
            size = connection.scalar(sa.text("SELECT pg_database_size(current_database())"))
            journal = connection.scalar(sa.text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"))
        return int(size or 0), int(journal or 0)

    def _used(self, processes: list[Process]) -> dict[str, float]:
        broker = self.kafka.broker
        return {
            "worker": observed.cpu(one.pid for one in processes),
            "database": observed.cpu([self._server.pid]),
            "broker": observed.cpu([broker.pid]) if broker else 0.0,
        }

    def _start(self, module: str, *words: str) -> Process:
        command = [sys.executable, "-m", f"tests.bench.{module}", *words]
        log = (self._folder / f"{module}.log").open("a")
        with log:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
            )


def told(process: Process) -> Written:
    """What a process prints of its progress, as it comes; filled by a thread."""
    found: Written = []

    def read() -> None:
        for line in process.stdout or ():
            clock, number = line.split()
            found.append((float(clock), int(number)))

    threading.Thread(target=read, daemon=True).start()
    return found


def _all_accepted(engine: Engine, events: int) -> None:
    """A rate of events that were only set aside would be no rate."""
    columns = position.c.accepted, position.c.duplicates, position.c.quarantined
    with engine.connect() as connection:
        row = connection.execute(sa.select(*(sa.func.coalesce(sa.func.sum(each), 0) for each in columns))).one()
    accepted, duplicates, quarantined = map(int, row)
    if quarantined or accepted + duplicates != events:
        raise SystemExit(f"of {events:,} events {accepted:,} were accepted and {quarantined:,} set aside")


def _wait(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise SystemExit(f"nothing has come within {_PATIENCE} s")
        time.sleep(0.005)
