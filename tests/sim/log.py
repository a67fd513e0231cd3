"""The log in memory, as a Kafka cluster shows it to a worker: topics, partitions, offsets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from services.errors import UsageError
from services.stream.cluster import Bounds, Topic
from services.stream.fetched import Message


class MemoryLog:
    """Stands where `Cluster` does. `ask` is called before every answer: it may take its time, or raise."""

    def __init__(self, ask: Callable[[], None] = lambda: None) -> None:
        self.id = "memory"
        self._ask = ask
        self._topics: dict[str, list[list[Message]]] = {}
        self._first: dict[tuple[str, int], int] = {}

    def create(self, name: str, partitions: int) -> None:
        """Makes an empty topic."""
        self._topics[name] = [[] for _ in range(partitions)]

    def append(self, topic: str, partition: int, stamp: int, value: bytes, key: bytes | None = None) -> None:
        """Writes a message behind the others of its partition."""
        held = self._topics[topic][partition]
        held.append(Message(len(held), stamp, key, value))

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Retention: what lies before the offset is gone."""
        self._first[topic, partition] = offset

    def fetch(self, topic: str, partition: int, start: int, most: int) -> Sequence[Message]:
        """Messages from an offset on."""
        return self._topics[topic][partition][start : start + most]

    def end(self, topic: str, partition: int) -> int:
        """Where a partition ends now."""
        return len(self._topics[topic][partition])

    def holds(self, topic: str, partition: int, offset: int) -> bool:
        """Whether one may read on from an offset."""
        return self._first.get((topic, partition), 0) <= offset <= len(self._topics[topic][partition])

    def topics(self, names: Sequence[str]) -> dict[str, Topic]:
        self._ask()
        return {name: Topic(name, f"id-{name}", len(self._topics[name])) for name in names if name in self._topics}

    def topic(self, name: str) -> Topic:
        found = self.topics([name])
        if name not in found:
            raise UsageError(f"there is no topic {name}")
        return found[name]

    def bounds(self, partitions: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], Bounds]:
        self._ask()
        wanted = [(topic, number) for topic, numbers in partitions.items() for number in numbers]
        return {(t, n): Bounds(self._first.get((t, n), 0), len(self._topics[t][n])) for t, n in wanted}

    def ends(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        self._ask()
        found = {(topic, number): len(self._topics[topic][number]) for topic, number in partitions}
        self._ask()  # it may take its time until this is heard
        return found

    def close(self) -> None:
        """Nothing is open."""
