"""A stream worker's order of work: place partitions, gather what is fetched, take it in batches, say how far it is.

Nothing here knows Faust: it is driven by `places`, `add` and `tick`, all called in one event loop. What touches the
database or the core runs in a thread beside it, so that heart-beats go on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol, TypeVar

import sqlalchemy as sa
from aiokafka.structs import TopicPartition
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from monitor.watch import Watch, Watching
from services.errors import FenceError, ServiceError, StoreError, Unavailable
from services.ports import Clock
from services.runtime import Summary
from services.stream.cluster import Cluster
from services.stream.fetched import Fetched
from services.stream.holding import Holding
from services.stream.settings import StreamSettings
from services.stream.threads import Threads

_log = logging.getLogger(__name__)
_OFTEN: Final = 1.0
_SELDOM: Final = 5.0
_LONGEST_PAUSE: Final = 5.0
_STUCK: Final = 60.0
_WAIT: Final = 0.05
T = TypeVar("T")


class Reader(Protocol):
    """What carries runs to the worker."""

    @property
    def unplaced(self) -> set[TopicPartition]:
        """Partitions that are ours, of which nothing comes until they are placed."""
        ...

    def place(self, partitions: set[TopicPartition]) -> Awaitable[Mapping[TopicPartition, int]]:
        """Asks the worker's `places`, and seeks there."""
        ...

    def reached(self, partition: TopicPartition) -> int | None:
        """Up to where it has fetched a partition, whether that has been delivered or not."""
        ...

    def hold_back(self, partitions: frozenset[TopicPartition]) -> None:
        """Brings nothing more of these for now, and all the others."""
        ...

    def note(self, offsets: Mapping[TopicPartition, int]) -> Awaitable[None]:
        """Tells Kafka how far we are."""
        ...


class Worker:
    """One worker. `problem` is why it cannot go on; whoever drives it stops then.

    `monotonic` and `threads` are what its waiting is measured by and where its work is done.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        clock: Clock,
        cluster: Cluster,
        settings: StreamSettings,
        *,
        watching: Watching = Watch,
        monotonic: Callable[[], float] = time.monotonic,
        threads: Threads | None = None,
    ) -> None:
        self.reader: Reader | None = None
        self.problem: ServiceError | None = None
        self.summary = Summary()
        self._settings = settings
        self._clock = clock
        self._holding = Holding(engine, plan, clock, cluster, settings, watching)
        self._monotonic = monotonic
        self._threads = threads or Threads()
        self._lock = asyncio.Lock()
        self._again = self._pause = 0.0
        self._due: dict[str, float] = {}
        self._moved = self._monotonic()

    def stuck(self) -> str | None:
        """What does not go on: no position has moved for a while, nor was any partition at its end.

        Not what waits for a database or a broker: another start would mend nothing.
        """
        still = self._monotonic() - self._moved
        held = self.reader is not None and (self._holding.positions or self.reader.unplaced)
        return f"no position has moved for {still:.0f} s" if held and not self._pause and still > _STUCK else None

    async def places(self, partitions: set[TopicPartition], seek: int) -> Mapping[TopicPartition, int]:
        """Where partitions are to be read on; what cannot be said now is left out, and asked again by `tick`."""
        async with self._lock:
            self._holding.let_go(partitions)
            found = await self._attempt(self._threads.ask(self._holding.place, partitions))
            return {} if found is None else self._holding.expect(found, seek)

    async def release(self) -> None:
        """Lets go of all partitions, once what is being taken has been taken or refused."""
        async with self._lock:
            self._holding.let_go(None)

    async def add(self, run: Fetched) -> None:
        """Takes in what was fetched, and returns when there is room for more."""
        partition = TopicPartition(run.topic, run.partition)
        self._holding.add(partition, run, self._monotonic())
        while self._holding.is_full(partition) and self.problem is None:
            if not await self._flush(partition):
                await asyncio.sleep(_WAIT)

    async def tick(self) -> None:
        """What is due now; to be called several times a second."""
        if self.problem is not None:
            return
        for partition in self._holding.due(self._monotonic()):
            await self._flush(partition)
        if self.reader is not None:
            self.reader.hold_back(self._holding.waiting_long)
        if self._is_due("place", _OFTEN):
            await self._place_again()
        if self._is_due("rest", _OFTEN):
            await self._rest()
        if self._is_due("note", _SELDOM) and self.reader is not None:
            await self.reader.note(self._holding.positions)

    async def finish(self) -> None:
        """Takes what has been fetched, says how far we are, and ends."""
        for partition in list(self._holding.positions):
            while self.problem is None and await self._flush(partition):
                pass
        self._threads.close()

    async def _flush(self, partition: TopicPartition) -> bool:
        """Takes one batch of a partition, if it has one; says whether it did."""
        async with self._lock:
            front = None if self._paused else self._holding.front(partition)
            if front is None:
                return False
            batch = await self._attempt(self._threads.work(self._holding.take, partition, front))
            if batch is None:
                self._holding.mark_astray()
                return False
            self._holding.took(partition, batch.end, self._monotonic())
            self.summary.add(batch)
            self._moved = self._monotonic()
            return True

    async def _place_again(self) -> None:
        """Places what is unplaced, or has lost a run on the way, with the rest of its lanes."""
        reader = self.reader
        if reader is not None and not self._paused:
            wanted = self._holding.whole_lanes(reader.unplaced | self._holding.astray)
            if wanted:
                await reader.place(wanted)

    async def _rest(self) -> None:
        """Says of partitions that have been read to their end that they were, so that their watermarks go on."""
        partitions = self._holding.read_through
        if not partitions or self._paused:
            return
        if self.reader is not None:
            self._holding.look_for_lost({tp: self.reader.reached(tp) for tp in partitions}, self._monotonic())
        clock = await self._attempt(self._threads.work(self._clock))
        ends = None if clock is None else await self._attempt(self._threads.ask(self._holding.ends, partitions))
        for partition, end in (ends or {}).items():
            async with self._lock:
                if self._holding.is_at(partition, end):
                    await self._attempt(self._threads.work(self._holding.rest, partition, clock))
                    self._moved = self._monotonic()

    @property
    def _paused(self) -> bool:
        return self._monotonic() < self._again

    async def _attempt(self, work: Awaitable[T]) -> T | None:
        """The result; None where it has to be tried again, or cannot be any more."""
        try:
            found = await work
        except FenceError as error:
            _log.warning("%s; reading again from the stored position", error)
        except (StoreError, Unavailable, sa.exc.DBAPIError) as error:
            self._wait(error)
        except ServiceError as error:
            self.problem = self.problem or error
        except Exception as error:
            _log.error("stopped by %s", type(error).__name__, exc_info=error)
            self.problem = self.problem or ServiceError(f"{type(error).__name__} in the stream worker")
        else:
            self._pause = 0.0
            return found
        return None

    def _wait(self, error: Exception) -> None:
        """Tries nothing for a while, longer each time in a row."""
        self._pause = min(max(2 * self._pause, 0.25), _LONGEST_PAUSE)
        self._again = self._monotonic() + self._pause
        said = error if isinstance(error, ServiceError) else "the database does not answer"
        _log.warning("%s; trying again", said)

    def _is_due(self, what: str, every: float) -> bool:
        now = self._monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every
        return True
