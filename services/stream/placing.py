"""Where partitions are to be read on: the database's position, held against what the log still has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from services.errors import GapError, UsageError
from services.gap import Gap, Reason
from services.store.offsets import Partition, Stand, register_partitions, stands
from services.stream.cluster import Bounds, Cluster, Topic


@dataclass(frozen=True, slots=True)
class Placed:
    """All partitions of the topics, by topic and number, as the log and the database show them."""

    partitions: Mapping[tuple[str, int], Partition]
    bounds: Mapping[tuple[str, int], Bounds]
    stands: Mapping[str, Stand]
    gaps: Mapping[str, GapError]

    @property
    def lanes(self) -> int:
        """How many partitions each topic has."""
        return 1 + max(number for _, number in self.partitions)


def source_name(cluster: str, topic: str, partition: int) -> str:
    """The name of a partition as a source."""
    return f"kafka:{cluster}/{topic}/{partition}"


def place(engine: Engine, cluster: Cluster, topics: Sequence[str]) -> Placed:
    """Registers every partition, ours or not, so that none is sealed away before it is read; says where each stands.

    New partitions begin at the log's first offset. `gaps` are those whose position the log does not hold.
    """
    name = cluster.id
    found = [cluster.topic(topic) for topic in topics]
    _alike(found)
    numbers = range(found[0].partitions)
    wanted = {topic.name: numbers for topic in found}
    before = cluster.bounds(wanted)
    partitions = {
        (topic.name, number): Partition(
            source_name(name, topic.name, number), topic.id, topic.partitions, before[topic.name, number].first
        )
        for topic in found
        for number in numbers
    }
    sources = [one.source for one in partitions.values()]
    gaps = register_partitions(engine, list(partitions.values()))
    where = stands(engine, sources)
    bounds = cluster.bounds(wanted)  # asked afterwards: a position that others move on meanwhile lies in them
    outside = {one.source: _outside(one, where[one.source], bounds[key]) for key, one in partitions.items()}
    now = stands(engine, sources)
    gaps |= {name: error for name, error in outside.items() if error is not None and now[name] == where[name]} | gaps
    return Placed(partitions, bounds, now, gaps)


def _alike(topics: Sequence[Topic]) -> None:
    """What is read together has to lie together: feedback under the number of its requests."""
    if len({topic.partitions for topic in topics}) > 1:
        said = ", ".join(f"{topic.name} has {topic.partitions}" for topic in topics)
        raise UsageError(f"topics that are read together need as many partitions each, and {said}")


def _outside(partition: Partition, stand: Stand, bounds: Bounds) -> GapError | None:
    if stand.next < bounds.first:
        gap = Gap(partition.source, stand.next, bounds.first, Reason.EXPIRED)
        missing = f"{bounds.first - stand.next:,} offsets from {stand.next:,} on"
        return GapError(f"{partition.source}: Kafka no longer holds {missing}; they were never read", gap)
    if stand.next > bounds.end:
        gap = Gap(partition.source, stand.next, None, Reason.CUT)
        return GapError(f"{partition.source}: ends at {bounds.end:,}, before position {stand.next:,}", gap)
    return None
