"""Records from the quarantine, brought in once more: to the topic that they came from, or to the inbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from kafka.errors import KafkaError
from sqlalchemy.engine import Engine

from services.errors import Unavailable, UsageError
from services.ports import Clock
from services.store.inbox import accept
from services.store.quarantine import Aside, take_away
from services.stream.relay import producer


def redrive(engine: Engine, clock: Clock, rows: Sequence[Aside], bootstrap: str | None) -> dict[str, int]:
    """Brings them in again and takes them out of the quarantine; how many went where.

    A record that is written again though its removal failed is a duplicate like any other.
    """
    where: dict[str, list[Aside]] = defaultdict(list)
    for row in rows:
        where[topic_of(row.source) or "the inbox"].append(row)
    if bootstrap is None and where.keys() - {"the inbox"}:
        raise UsageError("some of them came by Kafka: say where it is with --kafka")
    for name, group in where.items():
        if name == "the inbox":
            accept(engine, [row.body or b"" for row in group], clock())
        else:
            _write(str(bootstrap), name, group)
        take_away(engine, [row.id for row in group])
    return {name: len(group) for name, group in where.items()}


def topic_of(source: str) -> str | None:
    """The topic of a source; None if it is none of Kafka's."""
    return source.rsplit("/", 2)[1] if source.startswith("kafka:") else None


def _write(bootstrap: str, topic: str, rows: Sequence[Aside]) -> None:
    try:
        writer = producer(bootstrap)
        try:
            sent = [writer.send(topic, row.body, row.key) for row in rows]
            for one in sent:
                one.get(timeout=10)
        finally:
            writer.close(timeout=10)
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {bootstrap} does not answer ({type(error).__name__})") from None
