"""The demo's way into Kafka, and what it refuses."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from monitor.wire import decode, encode
from services.simulate.topic import LogTopic
from services.store.commit import register
from services.store.engine import open_engine, upgrade
from services.stream.cluster import Cluster
from tests.support.events import line, request
from tests.support.kafka import Kafka
from tests.support.processes import end, start

pytestmark = pytest.mark.kafka


def test_a_log_lies_in_its_topic_by_conversation_until_the_demo_ends(kafka: Kafka) -> None:
    events = [decode(line(request(f"r{n}", 100.0 + n, conversation=f"c{n % 3}"))) for n in range(12)]
    with closing(LogTopic(kafka.bootstrap)) as topic:
        topic.send(events)
        found = asyncio.run(read(kafka.bootstrap, topic.name, len(events)))

        assert sorted(record.value for record in found) == sorted(map(encode, events))
        assert all(record.key == decode(record.value).conversation.encode() for record in found)

    with closing(Cluster(kafka.bootstrap)) as cluster:
        assert cluster.topics([topic.name]) == {}


async def read(bootstrap: str, topic: str, number: int) -> list[Any]:
    """So many records, by the client that knows the topic's compression."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [await asyncio.wait_for(consumer.getone(), 20) for _ in range(number)]
    finally:
        await consumer.stop()


def test_the_demo_wants_a_database_of_its_own(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/used.db"
    engine = open_engine(url)
    upgrade(engine)
    register(engine, "somebody", "")
    process = start("demo", "--headless", "--db", url)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        end([process])

    assert process.returncode == 3
    assert said.splitlines()[-1] == "quantwatch: the database is in use already: give --db an empty one"
