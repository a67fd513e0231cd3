"""The simulation's log, reader and group promise what Kafka and the consumer on Faust do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from tests.contract.stream.cluster_contract import ClusterContract
from tests.contract.stream.reader_contract import ReaderContract
from tests.sim.group import Group
from tests.sim.log import MemoryLog
from tests.sim.loop import Loop, Process
from tests.sim.reader import MemoryReader
from tests.support.streaming import Listener


class _Reading:
    def __init__(self, log: _Log, reader: MemoryReader) -> None:
        self._log = log
        self._reader = reader

    @property
    def unplaced(self) -> set[TopicPartition]:
        return self._reader.unplaced

    def reached(self, partition: TopicPartition) -> int | None:
        return self._reader.reached(partition)

    def hold_back(self, partitions: frozenset[TopicPartition]) -> None:
        self._reader.hold_back(partitions)

    def place(self, *partitions: set[TopicPartition]) -> None:
        tasks = [self._log.loop.start(None, self._reader.place(each)) for each in partitions]
        self._log.until(lambda: all(task.done() for task in tasks))

    def note(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._log.until(self._log.loop.start(None, _whole(self._reader.note(offsets))).done)

    def flow(self, *, on: bool) -> None:
        (self._reader.resume_flow if on else self._reader.stop_flow)()


async def _whole(awaited: Any) -> None:
    await awaited


class _Log:
    """A log in memory with virtual time."""

    def __init__(self) -> None:
        self.cluster = MemoryLog()
        self.loop = Loop(random.Random(1))
        self._sizes: dict[str, int] = {}

    def topic(self, partitions: int = 1, name: str = "") -> str:
        topic = f"{name or 'requests'}-{len(self._sizes)}"
        self.cluster.create(topic, partitions)
        self._sizes[topic] = partitions
        return topic

    def write(self, topic: str, values: list[bytes], partition: int = 0) -> None:
        for value in values:
            self.cluster.append(topic, partition, int(1000 * self.loop.time()), value)

    def delete_before(self, topic: str, offset: int) -> None:
        self.cluster.delete_before(topic, 0, offset)

    def group(self, topic: str, feedback: str | None = None) -> Group:
        topics = (topic,) if feedback is None else (topic, feedback)
        made = Group(self.loop, random.Random(2), topics, self._sizes[topic])
        self.loop.start(None, made.watch())
        return made

    @contextmanager
    def reading(self, group: Group, listener: Listener) -> Iterator[_Reading]:
        process = Process("reader")
        reader = MemoryReader(self.cluster, listener)
        listener.reader = reader
        self.loop.start(process, reader.fetch())
        self.loop.start(process, reader.deliver())
        group.join(process, reader)
        yield _Reading(self, reader)
        self.loop.kill(process)

    def until(self, holds: Callable[[], object]) -> None:
        end = self.loop.time() + 60
        self.loop.run_while(lambda: not holds() and self.loop.time() < end)
        assert not self.loop.failures
        assert holds(), "it never came about"

    def rest(self, seconds: float) -> None:
        self.until(self.loop.start(None, asyncio.sleep(seconds)).done)


@pytest.fixture
def log() -> Iterator[_Log]:
    made = _Log()
    yield made
    made.loop.close()


class TestMemoryReader(ReaderContract):
    """Every promise of the reader's."""


class TestMemoryLog(ClusterContract):
    """Every promise of the cluster's."""
