"""Whole stream workers beside a test, in threads: Kafka, Faust, the step and a store."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from services.errors import ServiceError
from services.ports import Clock
from services.store.tables import position
from services.stream.run import Stream
from services.stream.settings import StreamSettings
from tests.support.kafka import Kafka
from tests.support.stores import clock


def slow_clock() -> int:
    """The tests' clock, on a machine that takes its time: so that much happens while a worker is at work."""
    time.sleep(0.02)
    return clock()


class Running:
    """A worker that runs; `error` is what it stopped with by itself."""

    def __init__(self, engine: Engine, plan: Plan, settings: StreamSettings, now: Clock = clock) -> None:
        self.stream = Stream(engine, plan, now, settings)
        self.error: ServiceError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether it has stopped by itself."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """Stops it."""
        self._stop.set()
        self._thread.join(60)
        assert self.ended

    def _run(self) -> None:
        try:
            self.stream.run(self._stop)
        except ServiceError as error:
            self.error = error


@contextmanager
def running(engine: Engine, plan: Plan, settings: StreamSettings, now: Clock = clock) -> Iterator[Running]:
    """A worker, stopped with the block."""
    worker = Running(engine, plan, settings, now)
    try:
        yield worker
    finally:
        worker.close()


def settings(kafka: Kafka, topic: str, **given: Any) -> StreamSettings:
    """A group of its own, small batches, a short wait."""
    whole: dict[str, Any] = {
        "group": f"g-{uuid.uuid4().hex[:8]}",
        "session_timeout": 6.0,
        "batch_records": 50,
        "batch_seconds": 0.1,
        "feedback_wait": 0.0,
        "reject_limit": 0,
    }
    return StreamSettings(kafka.bootstrap, topic, **whole | given)


def positions(engine: Engine, topic: str) -> dict[int, int]:
    """The stored positions of a topic's partitions."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(position.c.source, position.c.next)).all()
    split = [(*row.source.rsplit("/", 2)[1:], row.next) for row in rows]
    return {int(number): int(offset) for name, number, offset in split if name == topic}
