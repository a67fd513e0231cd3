"""A real broker for tests: one a session, fresh topics a test, and plain ways to write to it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic, OffsetSpec

from deploy.local.broker import VARIABLE, Broker
from services.stream.fetched import Message


class Kafka:
    """A broker and what tests do with it. `broker` is None where it is somebody else's, which nobody kills."""

    def __init__(self, bootstrap: str, broker: Broker | None = None) -> None:
        self.bootstrap = bootstrap
        self.broker = broker
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def start_again(self) -> None:
        """Starts a broker that was killed, and connects to it anew."""
        assert self.broker is not None
        self.broker.start()
        self.admin.close()
        self.admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)

    def name(self, name: str) -> str:
        """A topic's name that was never used."""
        return f"{name}-{uuid.uuid4().hex[:12]}"

    def topic(self, partitions: int = 1, name: str = "", **configs: str) -> str:
        """A new topic, empty, under a name that was never used; its name begins with `name`.

        It keeps everything, unless `configs` say otherwise: records of tests are stamped long ago.
        """
        topic = self.name(name or "requests")
        settings = {"retention.ms": "-1"} | {key.replace("_", "."): value for key, value in configs.items()}
        self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings)], wait_for_metadata=True)
        return topic

    def write(self, topic: str, values: Sequence[Any], partition: int | None = 0, **given: Any) -> None:
        """Appends values in their order; a value may be (key, value)."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5)
        try:
            sent = []
            for value in values:
                key, body = value if isinstance(value, tuple) else (None, value)
                sent.append(producer.send(topic, key=key, value=body, partition=partition, **given))
            producer.flush()
            for one in sent:
                one.get(timeout=10)
        finally:
            producer.close()

    def fill(self, topic: str, parts: Sequence[Sequence[Message]]) -> None:
        """Writes whole partitions, with their keys and stamps."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=20)
        try:
            for number, part in enumerate(parts):
                for message in part:
                    producer.send(topic, message.value, message.key, partition=number, timestamp_ms=message.stamp)
            producer.flush()
        finally:
            producer.close()

    def write_in_transaction(self, topic: str, values: Sequence[bytes], partition: int = 0, *, commit: bool) -> None:
        """The same as one transaction, which ends in a commit or is given up."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, transactional_id=uuid.uuid4().hex)
        try:
            producer.init_transactions()
            producer.begin_transaction()
            for value in values:
                producer.send(topic, value=value, partition=partition)
            producer.flush()
            if commit:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
        finally:
            producer.close()

    def delete_before(self, topic: str, offset: int, partition: int = 0) -> None:
        """Takes away what lies before an offset, as retention does."""
        self.admin.delete_records({TopicPartition(topic, partition): offset})

    def end(self, topic: str, partition: int = 0) -> int:
        """The offset behind the last record."""
        where = TopicPartition(topic, partition)
        return int(self.admin.list_partition_offsets({where: OffsetSpec.LATEST})[where].offset)

    def held(self, topic: str, partition: int = 0) -> int:
        """How many records it still has."""
        return len(self.read(topic, partition))

    def read(self, topic: str, partition: int = 0) -> list[Any]:
        """The records that it still has."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        try:
            where = TopicPartition(topic, partition)
            consumer.assign([where])
            consumer.seek_to_beginning(where)
            end, found = self.end(topic, partition), []
            while consumer.position(where) < end:
                found += [record for records in consumer.poll(timeout_ms=500).values() for record in records]
            return found
        finally:
            consumer.close()

    def describe(self, topic: str) -> Mapping[str, Any]:
        """What the broker says of a topic."""
        found: Mapping[str, Any] = self.admin.describe_topics([topic])[0]
        return found

    def close(self) -> None:
        """Ends the broker, if it is ours."""
        self.admin.close()
        if self.broker is not None:
            self.broker.kill()


def open_kafka(folder: Path) -> Iterator[Kafka]:
    """The session's broker: the one that the environment names, else a new one in `folder`."""
    named = os.environ.get(VARIABLE)
    broker = None if named else Broker(folder)
    kafka = Kafka(named or broker.bootstrap, broker)  # type: ignore[union-attr]
    try:
        yield kafka
    finally:
        kafka.close()
