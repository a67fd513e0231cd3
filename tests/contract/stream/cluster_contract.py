"""What a worker may rely on of a cluster's answers. Subclass `ClusterContract` and give a fixture `log`."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from services.errors import UsageError
from services.stream.cluster import Bounds


class Log(Protocol):
    """A log with its cluster."""

    @property
    def cluster(self) -> Any: ...

    def topic(self, partitions: int = 1, name: str = "") -> str: ...

    def write(self, topic: str, values: list[bytes], partition: int = 0) -> None: ...

    def delete_before(self, topic: str, offset: int) -> None: ...


class ClusterContract:
    def test_a_topic_has_a_name_of_its_own_and_its_partitions(self, log: Log) -> None:
        one, other = log.topic(3), log.topic(1)
        found = log.cluster.topic(one)
        assert (found.name, found.partitions) == (one, 3)
        assert found.id != log.cluster.topic(other).id
        assert found == log.cluster.topic(one)
        assert log.cluster.id == log.cluster.id != ""

    def test_what_does_not_exist_is_left_out_or_a_usage_error(self, log: Log) -> None:
        there = log.topic()
        assert list(log.cluster.topics([there, "nowhere"])) == [there]
        with pytest.raises(UsageError):
            log.cluster.topic("nowhere")

    def test_bounds_and_ends_are_offsets_from_the_first_that_is_left_to_behind_the_last(self, log: Log) -> None:
        topic = log.topic(2)
        log.write(topic, [b"a", b"b", b"c"])
        log.delete_before(topic, 2)
        assert log.cluster.bounds({topic: range(2)}) == {(topic, 0): Bounds(2, 3), (topic, 1): Bounds(0, 0)}
        assert log.cluster.ends([(topic, 1), (topic, 0)]) == {(topic, 0): 3, (topic, 1): 0}
        assert log.cluster.bounds({}) == log.cluster.ends([]) == {}
