"""What carries runs from the log in memory to a worker: the same promises as the consumer on Faust."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiokafka.structs import TopicPartition

from services.stream.fetched import Fetched
from services.stream.run import Driven
from tests.sim.log import MemoryLog

_BUFFERED: Final = 8


class MemoryReader:
    """Drives a worker as Faust's app does: one run after the other, and nothing of a partition before it is placed.

    `loses` says of a run whether it gets lost on the way; `pause` is how long the next fetch takes.
    """

    def __init__(
        self,
        log: MemoryLog,
        worker: Driven,
        *,
        most: int = 500,
        loses: Callable[[], bool] = lambda: False,
        pause: Callable[[], float] = lambda: 0.1,
    ) -> None:
        self._log = log
        self._worker = worker
        self._most = most
        self._loses = loses
        self._pause = pause
        self._assigned: set[TopicPartition] = set()
        self._reached: dict[TopicPartition, tuple[int, int]] = {}
        self._held_back: frozenset[TopicPartition] = frozenset()
        self._seeks = 0
        self._asked: dict[TopicPartition, int] = {}
        self._flows = True
        self._runs: asyncio.Queue[Fetched] = asyncio.Queue(_BUFFERED)
        self.noted: dict[TopicPartition, int] = {}

    @property
    def unplaced(self) -> set[TopicPartition]:
        return self._assigned - self._reached.keys()

    def reached(self, partition: TopicPartition) -> int | None:
        found = self._reached.get(partition)
        return None if found is None else found[0]

    def hold_back(self, partitions: frozenset[TopicPartition]) -> None:
        self._held_back = partitions

    def note(self, offsets: Mapping[TopicPartition, int]) -> Awaitable[None]:
        return self._note(dict(offsets))

    async def place(self, partitions: set[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Asks the worker where to read these on, and seeks there."""
        for partition in partitions:
            self._reached.pop(partition, None)
        self._seeks = number = self._seeks + 1
        self._asked |= dict.fromkeys(partitions, number)
        places = await self._worker.places(partitions, number)
        for partition, offset in places.items():
            if partition in self._assigned and self._asked[partition] == number:
                self._reached[partition] = offset, number
        return places

    async def assign(self, partitions: set[TopicPartition], *, after: float = 0.0) -> None:
        """A new share-out: lets go of all, and after a while goes to the places of what is ours now."""
        self._flows = False
        await self._worker.release()
        await asyncio.sleep(after)
        self._assigned = set(partitions)
        self._reached.clear()
        self._flows = True
        await self.place(set(partitions))

    def stop_flow(self) -> None:
        """What is fetched from now on gets lost."""
        self._flows = False

    def resume_flow(self) -> None:
        """Delivers again."""
        self._flows = True

    async def fetch(self) -> None:
        """Fetches for ever."""
        while True:
            await asyncio.sleep(self._pause())
            for partition in sorted(self._assigned & self._reached.keys() - self._held_back):
                run = self._run(partition)
                if run is not None and self._flows and not self._loses():
                    await self._runs.put(run)

    async def deliver(self) -> None:
        """Delivers for ever, one run after the other."""
        while True:
            await self._worker.add(await self._runs.get())

    def _run(self, tp: TopicPartition) -> Fetched | None:
        if tp not in self._reached:
            return None
        start, seek = self._reached[tp]
        if not self._log.holds(tp.topic, tp.partition, start):
            del self._reached[tp]
            return None
        messages = self._log.fetch(tp.topic, tp.partition, start, self._most)
        if not messages:
            return None
        end = messages[-1].offset + 1
        self._reached[tp] = end, seek
        return Fetched(tp.topic, tp.partition, seek, start, end, messages)

    async def _note(self, offsets: dict[TopicPartition, int]) -> None:
        self.noted |= offsets
