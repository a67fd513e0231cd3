"""The partitions that one worker holds: their buffers, their lanes, and where each stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from aiokafka.structs import TopicPartition
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from monitor.run import Batch
from monitor.watch import Watch, Watching
from services.errors import GapError
from services.gap import Reason
from services.ports import Clock
from services.store.offsets import Partition, Stand, move
from services.stream.buffer import Buffer
from services.stream.cluster import Bounds, Cluster
from services.stream.fetched import Fetched, Message
from services.stream.lane import Lane
from services.stream.placing import Placed, place
from services.stream.rejects import RejectLimit
from services.stream.settings import StreamSettings

_LOST_AFTER: Final = 4.0


class Front(NamedTuple):
    """What is taken next of a partition: messages up to before `end`."""

    end: int
    messages: list[Message]


class Holding:
    """`place`, `take`, `rest` and `ends` are for a thread, one at a time; all else belongs to the event loop."""

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        clock: Clock,
        cluster: Cluster,
        settings: StreamSettings,
        watching: Watching = Watch,
    ) -> None:
        self._engine = engine
        self._plan = plan
        self._clock = clock
        self._cluster = cluster
        self._settings = settings
        self._watching = watching
        self._rejects = RejectLimit(settings.reject_limit)
        self._lanes: dict[int, Lane] = {}
        self._sources: dict[TopicPartition, str] = {}
        self._buffers: dict[TopicPartition, Buffer] = {}
        self._read_at: dict[int, int] = {}
        self._stalled: dict[TopicPartition, tuple[tuple[int | None, int], float]] = {}
        self.astray: set[TopicPartition] = set()

    @property
    def positions(self) -> dict[TopicPartition, int]:
        """The position of each partition that is held."""
        return {tp: self._lanes[tp.partition].next(self._sources[tp]) for tp in self._buffers if self._is_sound(tp)}

    @property
    def read_through(self) -> list[TopicPartition]:
        """Partitions of which everything that came has been taken."""
        return [tp for tp, buffer in self._buffers.items() if buffer.empty and self._is_sound(tp)]

    def let_go(self, partitions: Collection[TopicPartition] | None) -> None:
        """Drops what waits of these partitions, or of all; they are held no longer."""
        for tp in list(self._buffers) if partitions is None else partitions:
            self._buffers.pop(tp, None)
            self.astray.discard(tp)

    def whole_lanes(self, partitions: Collection[TopicPartition]) -> set[TopicPartition]:
        """These and the partitions of the same numbers: the memory of a lane belongs to the positions of all."""
        numbers = {tp.partition for tp in partitions}
        return {TopicPartition(topic, number) for topic in self._settings.topics for number in numbers}

    def expect(self, offsets: Mapping[TopicPartition, int], seek: int) -> Mapping[TopicPartition, int]:
        """Holds partitions from these offsets on, behind that seek."""
        for tp, offset in offsets.items():
            self._buffers[tp] = Buffer()
            self._buffers[tp].expect(offset, seek)
        return offsets

    def add(self, tp: TopicPartition, run: Fetched, now: float) -> None:
        """Takes in a run; a partition of which one was lost on the way is `astray`."""
        buffer = self._buffers.get(tp)
        if buffer is not None and not buffer.add(run, now):
            self.astray.add(tp)

    @property
    def waiting_long(self) -> frozenset[TopicPartition]:
        """Partitions of feedback that hold a batch and wait for their requests: those must be able to come."""
        held = (tp for tp in self._buffers if tp.topic != self._settings.requests)
        return frozenset(tp for tp in held if self._buffers[tp].messages >= self._settings.batch_records)

    def is_full(self, tp: TopicPartition) -> bool:
        """Whether a partition of requests, or all together, hold more than they should."""
        buffer = self._buffers.get(tp)
        if buffer is None or buffer.empty or tp in self.astray or tp.topic != self._settings.requests:
            return False
        size = sum(each.size for each in self._buffers.values())
        return buffer.messages >= self._settings.batch_records or size > self._settings.batch_bytes

    def due(self, now: float) -> list[TopicPartition]:
        """Partitions whose messages have waited long enough, the longest first."""
        edge = now - self._settings.batch_seconds
        waiting = [(b.since, tp) for tp, b in self._buffers.items() if b.since is not None and b.since <= edge]
        return [tp for _, tp in sorted(waiting)]

    def front(self, tp: TopicPartition) -> Front | None:
        """What is to be taken next of a partition; None if nothing is there, or it has to wait for its requests."""
        buffer = self._buffers.get(tp)
        if buffer is None or buffer.empty or not self._is_sound(tp):
            return None
        end, messages = buffer.front(self._settings.batch_records, self._allowed(tp))
        return None if end == self._next(tp) else Front(end, messages)

    def is_at(self, tp: TopicPartition, end: int) -> bool:
        """Whether a partition has been taken up to an offset, and nothing of it waits."""
        buffer = self._buffers.get(tp)
        return buffer is not None and buffer.empty and self._is_sound(tp) and self._next(tp) == end

    def look_for_lost(self, reached: Mapping[TopicPartition, int | None], now: float) -> None:
        """Finds partitions whose last run was fetched and has not come for some seconds; it was lost on the way."""
        for tp, offset in reached.items():
            seen = offset, self._next(tp)
            before, since = self._stalled.get(tp, (None, now))
            if offset is None or offset == seen[1] or before != seen:
                self._stalled[tp] = seen, now
            elif now - since > _LOST_AFTER:
                self.astray.add(tp)

    def mark_astray(self) -> None:
        """Finds the lanes whose positions somebody else has moved; they are to be placed again."""
        self.astray |= {tp for tp in self._buffers if not self._is_sound(tp)}

    def took(self, tp: TopicPartition, end: int, now: float) -> None:
        """Drops what was taken."""
        if tp in self._buffers:
            self._buffers[tp].drop(end, now)

    def place(self, wanted: set[TopicPartition]) -> dict[TopicPartition, int]:
        """Where partitions stand, their lanes ready to go on there. `GapError` where the log no longer holds it."""
        placed = place(self._engine, self._cluster, self._settings.topics)
        there = sorted(tp for tp in wanted if tuple(tp) in placed.partitions)  # one order, whatever a set's is
        stands = dict(placed.stands)
        for tp in there:
            partition = placed.partitions[tp]
            if partition.source in placed.gaps:
                stands[partition.source] = self._over_gap(partition, placed, placed.bounds[tp])
        for number in sorted({tp.partition for tp in there}):
            self._ready(number, placed, stands)
        return {tp: stands[self._sources[tp]].next for tp in there}

    def take(self, tp: TopicPartition, front: Front) -> Batch:
        """Takes messages, in one transaction."""
        return self._sound(tp).take(self._sources[tp], front.end, front.messages)

    def rest(self, tp: TopicPartition, clock: int) -> Batch:
        """Says that a partition ended at its position at `clock` or later."""
        batch = self._sound(tp).take(self._sources[tp], self._next(tp), [], clock=clock, drained=True)
        if tp.topic == self._settings.requests:
            self._read_at[tp.partition] = clock
        return batch

    def ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Where partitions end, at a moment after this was called."""
        return {TopicPartition(*key): end for key, end in self._cluster.ends([tuple(tp) for tp in partitions]).items()}

    def _ready(self, number: int, placed: Placed, stands: Mapping[str, Stand]) -> None:
        mine = {topic: placed.partitions[topic, number] for topic in self._settings.topics}
        sources = {one.source: one for one in mine.values()}
        if number not in self._lanes:
            made = Lane(self._engine, self._plan, self._clock, tuple(sources), self._rejects, self._watching)
            self._lanes[number] = made
        self._lanes[number].place(sources, {source: stands[source] for source in sources})
        self._sources |= {TopicPartition(topic, number): one.source for topic, one in mine.items()}

    def _over_gap(self, partition: Partition, placed: Placed, bounds: Bounds) -> Stand:
        """Records what is missing, and goes on behind it if that is wanted; else `GapError`."""
        error: GapError = placed.gaps[partition.source]
        Lane(self._engine, self._plan, self._clock, (partition.source,), self._rejects).miss(error.gap)
        if not self._settings.skip_gaps:
            raise error
        to = bounds.end if error.gap.reason is Reason.CUT else bounds.first
        move(self._engine, partition, to)
        return Stand(to, placed.stands[partition.source].watermark)

    def _allowed(self, tp: TopicPartition) -> int | None:
        """Up to which stamp feedback may be taken: its requests have been read that far, and a little further."""
        if tp.topic == self._settings.requests:
            return None
        requests = self._sources[TopicPartition(self._settings.requests, tp.partition)]
        known = max(self._lanes[tp.partition].watermark(requests), self._read_at.get(tp.partition, 0))
        return known - int(self._settings.feedback_wait * 1000)

    def _is_sound(self, tp: TopicPartition) -> bool:
        return tp.partition in self._lanes and self._lanes[tp.partition].is_placed

    def _sound(self, tp: TopicPartition) -> Lane:
        return self._lanes[tp.partition]

    def _next(self, tp: TopicPartition) -> int:
        return self._lanes[tp.partition].next(self._sources[tp])
