"""The simulated log's way into Kafka: a topic of its own, written as any producer writes it."""

from __future__ import annotations

import uuid
from contextlib import closing

from kafka import KafkaProducer
from kafka.errors import KafkaError

from monitor.model import Event
from monitor.wire import encode
from services.errors import Unavailable
from services.stream.cluster import Cluster
from services.stream.topics import Wanted, create

PARTITIONS = 2


class LogTopic:
    """A new topic of a cluster, until closed. Keyed by conversation, as a topic should be."""

    def __init__(self, bootstrap: str) -> None:
        self.name = f"quantwatch-demo-{uuid.uuid4().hex[:8]}"
        self._bootstrap = bootstrap
        with closing(Cluster(bootstrap)) as cluster:
            create(cluster, [Wanted(self.name, PARTITIONS)], replication=1)
        self._producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), linger_ms=5)

    def send(self, events: list[Event]) -> None:
        """Writes a batch of events; returns after their durable write."""
        try:
            sent = [self._producer.send(self.name, encode(event), _key(event)) for event in events]
            self._producer.flush()
            for one in sent:
                one.get(timeout=10)
        except KafkaError as error:
            raise Unavailable(f"Kafka did not take the log ({type(error).__name__})") from None

    def close(self) -> None:
        """Takes the topic away."""
        self._producer.close()
        with closing(Cluster(self._bootstrap)) as cluster:
            cluster.remove([self.name])


def _key(event: Event) -> bytes:
    return (event.conversation or event.id).encode()
