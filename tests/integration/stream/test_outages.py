"""The broker or the database goes away for a while: the worker goes on by itself, and nothing is lost or doubled.

`OUTAGE_SECONDS` says for how long (3); `make test-outages` takes 300.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from services.store.engine import open_engine, upgrade
from tests.support.events import line, plan, request
from tests.support.kafka import Kafka
from tests.support.postgres import Server
from tests.support.stores import counted, quarantined, seal_all, store
from tests.support.streaming import until
from tests.support.workers import positions, running, settings

# The clients leave sockets to a broker that has died to the collector.
_LEFT = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
AWAY = float(os.environ.get("OUTAGE_SECONDS", "3"))
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180 + AWAY), _LEFT]
PLAN: Plan = plan(lateness="10m")


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def server() -> Iterator[Server]:
    """A PostgreSQL that may be stopped, and keeps what was committed."""
    found = Server(durable=True)
    try:
        yield found
    finally:
        found.remove()


def write(kafka: Kafka, topic: str, first: int, end: int) -> None:
    kafka.write(topic, [line(request(f"r{number}", time.time())) for number in range(first, end)])


def requests(engine: Engine) -> int:
    seal_all(engine, PLAN)
    return counted(engine, "traffic")["requests"]


def test_a_broker_that_crashes_and_comes_back_loses_nothing(kafka: Kafka, tmp_path: Path) -> None:
    if kafka.broker is None:
        pytest.skip("the broker is somebody else's")
    topic, engine = kafka.topic(), store(tmp_path)
    write(kafka, topic, 0, 50)

    with running(engine, PLAN, settings(kafka, topic), now) as worker:
        until(lambda: positions(engine, topic) == {0: 50})
        kafka.broker.kill()
        time.sleep(AWAY)
        assert worker.error is None
        kafka.start_again()
        write(kafka, topic, 50, 90)
        until(lambda: positions(engine, topic) == {0: 90}, seconds=60)

    assert requests(engine) == 90
    assert quarantined(engine) == []
    gc.collect()


@pytest.mark.postgres
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_database_that_goes_away_and_comes_back_counts_nothing_twice(
    kafka: Kafka, server: Server, how: signal.Signals
) -> None:
    topic, engine = kafka.topic(2), open_engine(server.url)
    upgrade(engine)
    for number in range(2):
        kafka.write(topic, [line(request(f"r{number}-{k}", time.time())) for k in range(200)], number)

    with running(engine, PLAN, settings(kafka, topic, batch_records=10), now) as worker:
        until(lambda: sum(positions(engine, topic).values()) > 20)
        server.stop(how)
        kafka.write(topic, [line(request(f"s-{k}", time.time())) for k in range(50)], 0)
        time.sleep(AWAY)
        assert worker.error is None
        server.start()
        until(lambda: sum(positions(engine, topic).values()) == 450, seconds=60)
        kafka.write(topic, [line(request(f"t-{k}", time.time())) for k in range(50)], 1)
        until(lambda: sum(positions(engine, topic).values()) == 500, seconds=60)

    assert requests(engine) == 500
    assert quarantined(engine) == []
    engine.dispose()
