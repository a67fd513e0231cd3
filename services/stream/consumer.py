"""The one place that knows Faust's inside: a consumer whose stream events are whole fetched runs of one partition.

Faust makes two tasks a message; here it makes two a run. Its own book-keeping of single offsets is off, and so are its
seeks: positions come from `Places`, which asks the database. What a caller may rely on:

* a run that reaches the stream says where it began, and that is where the run before it ended, or where the last seek
  went; so a run that was lost on the way (a suspension cancels its delivery) shows as a gap before the next one;
* nothing of a partition is delivered before a seek to its place has succeeded, and after one that failed nothing is,
  until `place` is called again: `unplaced` says for which partitions;
* a position outside the log is never reset, neither to its beginning nor to its end: the partition is unplaced.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar, Final

import aiokafka
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from services.stream.fetched import Fetched
from services.stream.records import read_messages

Places = Callable[[set[TopicPartition], int], Awaitable[Mapping[TopicPartition, int]]]
"""Where to read on, of those partitions of which that is known; asked on assignment and by `RunConsumer.place`.

The number is that of the seek that follows; what is read behind it carries the same.
"""

_log = logging.getLogger(__name__)
_FETCH_BYTES: Final = 4 * 1024 * 1024
_WAIT_MS: Final = 250


class RunThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the client. `reached` is where the next run of a placed partition begins, and its seek."""

    consumer: RunConsumer

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reached: dict[TopicPartition, tuple[int, int]] = {}
        self.held_back: frozenset[TopicPartition] = frozenset()

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        read_messages()
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            # Partition n of every topic goes to one worker: a request's feedback needs its request's memory.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_WAIT_MS,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def seek_all(self, places: Mapping[TopicPartition, int], number: int) -> None:
        """Seeks in the client's own loop; what is assigned no longer stays unplaced."""
        for partition, offset in places.items():
            try:
                self._ensure_consumer().seek(partition, offset)
            except IllegalStateError:
                self.reached.pop(partition, None)
            else:
                self.reached[partition] = offset, number

    async def note(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Tells Kafka how far we are, for tools that show lag. Nothing depends on it, so it may fail."""
        mine = {partition: offset for partition, offset in offsets.items() if partition in self.reached}
        try:
            if mine:
                await self._ensure_consumer().commit(mine)
        except (KafkaError, IllegalStateError) as error:
            _log.debug("Kafka did not take our offsets: %s", type(error).__name__)

    async def _fetch_records(  # type: ignore[override]
        self, consumer: aiokafka.AIOKafkaConsumer, active: Any, timeout: Any = None, max_records: Any = None
    ) -> Mapping[TopicPartition, Fetched]:
        wanted = {TopicPartition(*tp) for tp in active or ()} & self.reached.keys() - self.held_back
        if not wanted:
            return {}
        try:
            found: Mapping[Any, Any] = await super()._fetch_records(consumer, wanted, timeout=timeout)
        except OffsetOutOfRangeError as error:
            self._unplace(error.args[0])
            return {}
        except NoOffsetForPartitionError as error:
            self._unplace([error.args[0]])
            return {}
        runs = {tp: self._run(consumer, tp, found.get(tp, ())) for tp in wanted & self.reached.keys()}
        return {tp: run for tp, run in runs.items() if run is not None}

    def _unplace(self, partitions: Any) -> None:
        for partition in partitions:
            self.reached.pop(TopicPartition(*partition), None)

    def _run(self, consumer: Any, tp: TopicPartition, records: Any) -> Fetched | None:
        """What lies between the last run's end and the client's position, which the records have moved."""
        assignment = consumer._subscription.subscription.assignment
        state = assignment.state_value(tp) if assignment is not None and tp in assignment.tps else None
        if state is None or not state.has_valid_position:
            return None
        (start, seek), end = self.reached[tp], state.position
        if end == start:
            return None
        self.reached[tp] = end, seek
        return Fetched(tp.topic, tp.partition, seek, start, end, records)


class RunConsumer(driver.Consumer):
    """Faust's consumer, with `Fetched` as the value of its messages."""

    _thread: RunThread
    places: Places
    """Set by the worker before the app starts."""
    _seeks = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._asked: dict[TopicPartition, int] = {}

    def _new_consumer_thread(self) -> RunThread:
        return RunThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def unplaced(self) -> set[TopicPartition]:
        """Partitions that are ours and of which nothing is delivered until they are placed."""
        return {TopicPartition(*tp) for tp in self.assignment()} - self._thread.reached.keys()

    def reached(self, partition: TopicPartition) -> int | None:
        """The end of the last run that was fetched of a partition, delivered or not; None if it is unplaced."""
        found = self._thread.reached.get(partition)
        return None if found is None else found[0]

    async def place(self, partitions: set[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Asks where to read these on, and seeks there."""
        for partition in partitions:
            self._thread.reached.pop(partition, None)
        self._seeks = number = self._seeks + 1
        self._asked |= dict.fromkeys(partitions, number)
        places = await self.places(partitions, number)
        await self._thread.call_thread(self._thread.seek_all, places, number)
        for partition in places:
            self._read_offset.pop(TP(*partition), None)
            if self._asked[partition] > number and self._thread.reached.get(partition, (0, 0))[1] == number:
                del self._thread.reached[partition]  # asked again meanwhile: the later answer counts
        return places

    def hold_back(self, partitions: frozenset[TopicPartition]) -> None:
        """Fetches nothing more of these for now, and all the others."""
        self._thread.held_back = partitions

    async def note(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Tells Kafka how far we are."""
        await self._thread.call_thread(self._thread.note, offsets)

    async def seek_to_committed(self) -> Mapping[Any, int]:
        """After an assignment: everything that is ours goes to its place in the database, not to Kafka's note of it."""
        self._thread.reached.clear()
        return await self.place({TopicPartition(*tp) for tp in self.assignment()})

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:
        """The next runs, one message each; none while the flow is stopped, and no seek then: that one may be lost."""
        runs, _ = await self._wait_next_records(timeout)
        for tp, run in (runs or {}).items():
            if self.should_stop or not self.flow_active:
                return  # lost; those of an older seek are told by its number
            yield TP(*tp), self._to_message(TP(*tp), run)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic, tp.partition, record.start, 0.0, 0, [], None, record, None, tp=tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Progress is seen at the position in the database."""


class RunTransport(driver.Transport):
    """To be set as an app's `transport`."""

    Consumer: ClassVar[type[RunConsumer]] = RunConsumer
