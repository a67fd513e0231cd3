"""What a Kafka cluster says of itself and of its topics; asked beside the consumer, by a client of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, OffsetSpec
from kafka.errors import KafkaError
from kafka.protocol.consumer.offsets import IsolationLevel

from services.errors import Unavailable, UsageError

_PATIENCE: Final[dict[str, Any]] = {
    "client_id": "quantwatch",
    "bootstrap_timeout_ms": 5_000,
    "request_timeout_ms": 10_000,
}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is now; `id` is the cluster's name for this very topic, also after it was deleted and made anew."""

    name: str
    id: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """The offsets that a partition holds: from `first` to before `end`, of committed records."""

    first: int
    end: int


class Cluster:
    """One cluster. Every question raises `Unavailable` where no broker answers."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin: KafkaAdminClient | None = None

    @property
    def admin(self) -> Any:
        """The client, opened when it is needed."""
        if self._admin is None:
            try:
                self._admin = KafkaAdminClient(bootstrap_servers=self._bootstrap.split(","), **_PATIENCE)
            except (KafkaError, OSError, ValueError) as error:
                raise self._silent(error) from None
        return self._admin

    @property
    def id(self) -> str:
        """The cluster's own name."""
        return str(self._ask(lambda admin: admin.describe_cluster())["cluster_id"])

    def topics(self, names: Sequence[str]) -> dict[str, Topic]:
        """Those of the topics that exist."""
        found = self._ask(lambda admin: admin.describe_topics(list(names)))
        topics = [
            Topic(each["name"], str(each["topic_id"]), len(each["partitions"])) for each in found if _is_there(each)
        ]
        return {topic.name: topic for topic in topics}

    def topic(self, name: str) -> Topic:
        """A topic; `UsageError` where there is none."""
        found = self.topics([name])
        if name not in found:
            raise UsageError(f"Kafka at {self._bootstrap} has no topic {name} (`quantwatch topics create` makes it)")
        return found[name]

    def bounds(self, partitions: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], Bounds]:
        """The bounds of partitions, by topic and number, as they were after the question was asked."""
        wanted = [TopicPartition(topic, number) for topic, numbers in partitions.items() for number in numbers]
        if not wanted:
            return {}

        first, end = self._offsets(wanted, OffsetSpec.EARLIEST), self._offsets(wanted, OffsetSpec.LATEST)
        return {(tp.topic, tp.partition): Bounds(first[tp], end[tp]) for tp in wanted}

    def ends(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Where partitions ended at some moment after the question was asked."""
        found = self._offsets([TopicPartition(*each) for each in partitions], OffsetSpec.LATEST)
        return {(tp.topic, tp.partition): end for tp, end in found.items()}

    def create(self, topics: Mapping[str, Mapping[str, Any]]) -> None:
        """Makes topics with these options of the client's."""
        self._ask(lambda admin: admin.create_topics(topics, wait_for_metadata=True))

    def remove(self, topics: Sequence[str]) -> None:
        """Takes topics away, with all that they hold."""
        self._ask(lambda admin: admin.delete_topics(list(topics)))

    def configs(self, topics: Sequence[str], keys: Sequence[str]) -> dict[str, dict[str, str]]:
        """Settings of topics, set or not."""
        wanted = [ConfigResource("TOPIC", topic, dict.fromkeys(keys)) for topic in topics]
        found = self._ask(lambda admin: admin.describe_configs(wanted, config_filter="all")) if wanted else {}
        of_topics: Mapping[str, Any] = next(iter(found.values()), {})
        return {name: {key: str(said["value"]) for key, said in of_topics[name].items()} for name in topics}

    def close(self) -> None:
        """Lets go of the connection; the next question opens another."""
        admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(KafkaError, OSError):
                admin.close()

    def _offsets(self, partitions: Sequence[TopicPartition], spec: OffsetSpec) -> dict[TopicPartition, int]:
        wanted, level = dict.fromkeys(partitions, spec), IsolationLevel.READ_COMMITTED
        found = self._ask(lambda admin: admin.list_partition_offsets(wanted, isolation_level=level)) if wanted else {}
        return {partition: answer.offset for partition, answer in found.items()}

    def _ask(self, question: Any) -> Any:
        try:
            return question(self.admin)
        except (KafkaError, OSError) as error:
            self.close()
            raise self._silent(error) from None

    def _silent(self, error: Exception) -> Unavailable:
        return Unavailable(f"Kafka at {self._bootstrap} does not answer ({type(error).__name__})")


def _is_there(described: Mapping[str, Any]) -> bool:
    return not described["error_code"]
