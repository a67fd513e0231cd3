"""A topic filled for the benchmarks, batch by batch as a fast producer does it.

    python -m tests.bench.topic BOOTSTRAP TOPIC PARTITIONS EVENTS SEED [RATE]

At a RATE a second the events happen now; it prints, again and again, the clock and how many were written so far.
"""

from __future__ import annotations

import asyncio
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaProducer

from tests.bench import traffic

_A_SECOND = 50
"""How often a second a producer at a rate writes."""


class Row(NamedTuple):
    """One message. Its stamp is when its event had come in by the event's own time, so a topic read later tells the
    same."""

    partition: int
    key: bytes
    value: bytes
    stamp: int


def rows(lines: Iterable[bytes], partitions: int) -> Iterator[Row]:
    """Lines of a log with the partition and key that their conversation, or else their id, gives them."""
    latest = 0
    for line in lines:
        said = orjson.loads(line)
        latest = max(latest, int(said["time"] * 1000))
        key = str(said.get("conversation") or said["id"]).encode()
        yield Row(zlib.crc32(key) % partitions, key, line.rstrip(b"\n"), latest)


def fill(bootstrap: str, topic: str, rows: Iterable[Row], rate: float | None = None) -> None:
    """Writes rows, as fast as it goes, or as if they happened now at a rate a second."""
    asyncio.run(_fast(bootstrap, topic, rows) if rate is None else _live(bootstrap, topic, rows, rate))


async def _fast(bootstrap: str, topic: str, rows: Iterable[Row]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1 << 19)
    await producer.start()
    try:
        batches: dict[int, Any] = {}
        for row in rows:
            await _append(producer, topic, batches, row)
        for partition, batch in batches.items():
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


async def _append(producer: AIOKafkaProducer, topic: str, batches: dict[int, Any], row: Row) -> None:
    batch = batches.get(row.partition) or producer.create_batch()
    if batch.append(key=row.key, value=row.value, timestamp=row.stamp) is None:
        await producer.send_batch(batch, topic, partition=row.partition)
        batch = producer.create_batch()
        batch.append(key=row.key, value=row.value, timestamp=row.stamp)
    batches[row.partition] = batch


async def _live(bootstrap: str, topic: str, rows: Iterable[Row], rate: float) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1 << 19)
    await producer.start()
    try:
        rows, began, sent = iter(rows), time.monotonic(), 0
        while some := list(islice(rows, int(rate / _A_SECOND))):
            batches: dict[int, Any] = {}
            for row in some:
                await _append(producer, topic, batches, _now(row))
            written = [await producer.send_batch(batch, topic, partition=number) for number, batch in batches.items()]
            sent += len(some)
            print(time.monotonic(), sent, flush=True)
            await asyncio.gather(*written)
            await asyncio.sleep(max(0.0, began + sent / rate - time.monotonic()))
    finally:
        await producer.stop()


def _now(row: Row) -> Row:
    """The same as if it happened at this moment."""
    now = time.time()
    head, _, rest = row.value.partition(b'"time":')
    return row._replace(value=b'%b"time":%.3f%b' % (head, now, rest[rest.index(b",") :]), stamp=int(now * 1000))


def main(bootstrap: str, topic: str, partitions: str, events: str, seed: str, rate: str = "") -> None:
    """Fills a topic, in a process of its own."""
    lines = traffic.lines(int(events), int(seed))
    found = rows(lines, int(partitions))
    if rate:
        found = iter(list(found))  # so that making them takes no time from those who read
    fill(bootstrap, topic, found, float(rate) if rate else None)


if __name__ == "__main__":
    main(*sys.argv[1:])
