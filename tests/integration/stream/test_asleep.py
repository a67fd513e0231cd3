"""A worker that is stopped in the middle and woken counts nothing twice. (Killed ones: `tests/kill`.)"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.events import plan
from tests.support.kafka import Kafka
from tests.support.killed import Process
from tests.support.partitions import calm, memorable_log, outcome, parted, without_names
from tests.support.stores import store, url_of
from tests.support.streaming import until
from tests.support.workers import positions, settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
PLAN = plan(joins={"share": 1.0, "horizon": "2m"})
SIZE = 300
SESSION = 2.0


def progress(engine: Engine, topic: str) -> int:
    return sum(positions(engine, topic).values())


def test_a_worker_that_is_stopped_past_its_session_and_wakes_counts_nothing_twice(kafka: Kafka, tmp_path: Path) -> None:
    parts = parted(memorable_log(SIZE), 2)
    topic, engine = kafka.topic(2), store(tmp_path)
    group = settings(kafka, topic, batch_records=5, session_timeout=SESSION)
    kafka.fill(topic, parts)

    with ExitStack() as left:
        asleep = Process(url_of(engine), PLAN, group)
        left.callback(asleep.kill)
        until(lambda: progress(engine, topic) > 20)
        asleep.pause()
        other = Process(url_of(engine), PLAN, group)
        left.callback(other.kill)
        there = progress(engine, topic)
        until(lambda: progress(engine, topic) > there + 40, seconds=40)
        asleep.wake()
        until(lambda: progress(engine, topic) == SIZE, seconds=40)

    assert without_names(outcome(engine, PLAN)) == without_names(calm(tmp_path, PLAN, parts))
