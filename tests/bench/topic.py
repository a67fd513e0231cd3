"""A topic filled for the benchmarks, batch by batch as a fast producer does it."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
from aiokafka import AIOKafkaProducer

_BATCH = 200
Written = Callable[[int], None]


def records(log: Path, partitions: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The lines of a log with the partition and key that their conversation, or else their id, gives them."""
    with log.open("rb") as lines:
        for line in lines:
            said = orjson.loads(line)
            key = str(said.get("conversation") or said["id"]).encode()
            yield zlib.crc32(key) % partitions, key, line.rstrip(b"\n")


def fill(
    bootstrap: str, topic: str, rows: Sequence[tuple[int, bytes, bytes]], rate: float | None, written: Written
) -> None:
    """Writes rows, as fast as it goes or at a rate a second; `written` is told how many there are so far."""
    asyncio.run(_fill(bootstrap, topic, rows, rate, written))


async def _fill(
    bootstrap: str, topic: str, rows: Sequence[tuple[int, bytes, bytes]], rate: float | None, written: Written
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1 << 20, linger_ms=5)
    await producer.start()
    try:
        began, sent = time.monotonic(), 0
        size = _BATCH if rate is None else max(1, int(rate / 50))
        for start in range(0, len(rows), size):
            by_partition: dict[int, list[tuple[bytes, bytes]]] = {}
            for partition, key, value in rows[start : start + size]:
                by_partition.setdefault(partition, []).append((key, value))
            for partition, group in by_partition.items():
                await _send(producer, topic, partition, group)
            sent += len(rows[start : start + size])
            written(sent)
            if rate is not None:
                await asyncio.sleep(max(0.0, began + sent / rate - time.monotonic()))
        await producer.flush()
    finally:
        await producer.stop()


async def _send(producer: AIOKafkaProducer, topic: str, partition: int, group: list[tuple[bytes, bytes]]) -> None:
    stamp = int(time.time() * 1000)
    batch = producer.create_batch()
    for key, value in group:
        if batch.append(key=key, value=value, timestamp=stamp) is None:
            await producer.send_batch(batch, topic, partition=partition)
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=stamp)
    await producer.send_batch(batch, topic, partition=partition)
