"""From the quarantine to a topic of its own: the bytes as they came, their key, and why they were not taken."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

import sqlalchemy as sa
from kafka import KafkaProducer
from kafka.errors import KafkaError
from sqlalchemy.engine import Engine

from services.errors import Unavailable
from services.ports import Clock
from services.store.commit import writing
from services.store.quarantine import Aside, note_relayed, to_relay

_log = logging.getLogger(__name__)
_LIMIT: Final = 500
_EVERY: Final = 1.0
_PATIENCE: Final = 10
"""Seconds that the broker may take: meanwhile the database's transaction is open."""


class Relay:
    """Relays what came by Kafka. At least once: who reads the topic knows a record again by its header `id`."""

    def __init__(self, engine: Engine, clock: Clock, bootstrap: str, topic: str) -> None:
        self._engine = engine
        self._clock = clock
        self._bootstrap = bootstrap
        self._topic = topic
        self._producer: Any = None

    def run(self, stop: threading.Event) -> None:
        """Relays until stopped; tries again where the broker or the database does not answer."""
        while not stop.wait(_EVERY):
            try:
                while self.relay() == _LIMIT and not stop.is_set():
                    pass
            except (Unavailable, sa.exc.DBAPIError) as error:
                said = error if isinstance(error, Unavailable) else "the database does not answer"
                _log.warning("nothing is relayed: %s", said)
        self.close()

    def relay(self) -> int:
        """Relays the oldest records that wait; says how many. Several relays share the work."""
        with writing(self._engine) as connection, connection.begin():
            rows = to_relay(connection, "kafka:", _LIMIT)
            if rows:
                self._send(rows)
                note_relayed(connection, [row.id for row in rows], self._clock())
        return len(rows)

    def close(self) -> None:
        """Lets go of the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=_PATIENCE)

    def _send(self, rows: list[Aside]) -> None:
        try:
            self._producer = self._producer or producer(self._bootstrap)
            sent = [self._producer.send(self._topic, row.body, row.key, headers=_headers(row)) for row in rows]
            for one in sent:
                one.get(timeout=_PATIENCE)
        except (KafkaError, OSError) as error:
            raise Unavailable(f"Kafka at {self._bootstrap} does not answer ({type(error).__name__})") from None


def producer(bootstrap: str) -> Any:
    """A producer that gives up after some seconds."""
    timeouts = {"request_timeout_ms": 5_000, "delivery_timeout_ms": 9_000, "max_block_ms": 9_000}
    return KafkaProducer(bootstrap_servers=bootstrap.split(","), client_id="quantwatch", **timeouts)


def _headers(row: Aside) -> list[tuple[str, bytes]]:
    said = {
        "id": row.id,
        "source": row.source,
        "offset": row.position,
        "reason": row.reason,
        "detail": row.detail,
        "at": row.at,
    }
    return [(f"quantwatch-{name}", str(value).encode()) for name, value in said.items()]
