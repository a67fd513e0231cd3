"""What the worker may rely on of the consumer and the cluster, against a real broker."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from services.stream.cluster import Cluster
from services.stream.settings import StreamSettings
from tests.contract.stream.cluster_contract import ClusterContract
from tests.contract.stream.reader_contract import ReaderContract, numbered
from tests.support.kafka import Kafka
from tests.support.streaming import Driving, Listener, driving, until

pytestmark = pytest.mark.kafka


def settings(kafka: Kafka, topic: str, **given: Any) -> StreamSettings:
    """A group of its own, which notices soon that a member is gone."""
    whole: dict[str, Any] = {"group": f"g-{uuid.uuid4().hex[:8]}", "session_timeout": 6.0}
    return StreamSettings(kafka.bootstrap, topic, **whole | given)


class _Reading:
    def __init__(self, app: Driving) -> None:
        self._app = app
        self._consumer = app.app.consumer

    @property
    def unplaced(self) -> set[TopicPartition]:
        found: set[TopicPartition] = self._consumer.unplaced
        return found

    def reached(self, partition: TopicPartition) -> int | None:
        found: int | None = self._consumer.reached(partition)
        return found

    def hold_back(self, partitions: frozenset[TopicPartition]) -> None:
        self._consumer.hold_back(partitions)

    def place(self, *partitions: set[TopicPartition]) -> None:
        self._app.do(_all([self._consumer.place(each) for each in partitions]))

    def note(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._app.do(self._consumer.note(offsets))

    def flow(self, *, on: bool) -> None:
        async def switch() -> None:
            (self._consumer.resume_flow if on else self._consumer.stop_flow)()

        self._app.do(switch())


async def _all(asked: list[Any]) -> None:
    await asyncio.gather(*asked)


class _Log:
    """Topics of the broker, each under a name of its own."""

    def __init__(self, kafka: Kafka) -> None:
        self.cluster = Cluster(kafka.bootstrap)
        self._kafka = kafka

    def topic(self, partitions: int = 1, name: str = "") -> str:
        return self._kafka.topic(partitions, name=name)

    def write(self, topic: str, values: list[bytes], partition: int = 0) -> None:
        self._kafka.write(topic, values, partition)

    def delete_before(self, topic: str, offset: int) -> None:
        self._kafka.delete_before(topic, offset)

    def group(self, topic: str, feedback: str | None = None) -> StreamSettings:
        return settings(self._kafka, topic, feedback=feedback)

    @contextmanager
    def reading(self, group: StreamSettings, listener: Listener) -> Iterator[_Reading]:
        with driving(group, listener) as app:
            yield _Reading(app)

    def until(self, holds: Callable[[], object]) -> None:
        until(holds)

    def rest(self, seconds: float) -> None:
        time.sleep(seconds)


@pytest.fixture
def log(kafka: Kafka) -> Iterator[_Log]:
    made = _Log(kafka)
    yield made
    made.cluster.close()


class TestConsumer(ReaderContract):
    """Every promise of the reader's."""


class TestCluster(ClusterContract):
    """Every promise of the cluster's."""


def test_runs_lie_end_to_end_over_transactions_that_were_given_up(kafka: Kafka) -> None:
    topic = kafka.topic()
    kafka.write(topic, numbered(0, 3))
    kafka.write_in_transaction(topic, [b"lost", b"lost"], commit=False)
    kafka.write_in_transaction(topic, numbered(3, 6), commit=True)
    kafka.write_in_transaction(topic, [b"lost"], commit=False)
    listener = Listener()

    with driving(settings(kafka, topic), listener):
        until(lambda: listener.runs and listener.runs[-1].end == kafka.end(topic))

    assert listener.values(topic) == numbered(0, 6)
    assert kafka.end(topic) == 6 + 3 + 3  # two given up and one; a mark each
    assert [run.start for run in listener.runs] == [0, *(run.end for run in listener.runs[:-1])]


def test_runs_lie_end_to_end_over_what_compaction_took_away(kafka: Kafka) -> None:
    topic = kafka.topic(cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01")
    kafka.write(topic, [(b"k", b"%d" % number) for number in range(50)])
    time.sleep(0.3)
    kafka.write(topic, [(b"other", b"end")])  # a new segment, so that the old one may be compacted
    until(lambda: kafka.held(topic) < 51)
    listener = Listener()

    with driving(settings(kafka, topic), listener):
        until(lambda: listener.runs and listener.runs[-1].end == 51)

    assert listener.values(topic) == [b"49", b"end"]
    assert listener.runs[0].start == 0
    assert [run.start for run in listener.runs] == [0, *(run.end for run in listener.runs[:-1])]
