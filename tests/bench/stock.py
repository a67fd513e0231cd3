"""What the stream worker is measured beside: Faust's stock path, with the same worker behind it or with nothing."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import uuid
from collections.abc import Callable
from typing import Any

import faust
from aiokafka.structs import TopicPartition

from services.stream.fetched import Fetched, Message
from services.stream.worker import Worker

Handler = Callable[[Any], Any]


def run_stock(bootstrap: str, topic: str, stop: threading.Event, worker: Worker | None, count: list[int]) -> None:
    """Runs a stock agent from the topic's beginning until stopped; `count[0]` is how many messages have come."""
    asyncio.run(_run(bootstrap, topic, stop, worker, count))


async def _run(bootstrap: str, topic: str, stop: threading.Event, worker: Worker | None, count: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = _app(bootstrap, topic, folder, worker, count)
        await app.start()
        try:
            while not stop.is_set():
                if worker is not None:
                    await worker.tick()
                await asyncio.sleep(0.05)
        finally:
            await app.stop()


def _app(bootstrap: str, topic: str, folder: str, worker: Worker | None, count: list[int]) -> Any:
    app = faust.App(
        f"stock-{uuid.uuid4().hex[:8]}",
        broker=f"kafka://{bootstrap}",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
    )
    channel = app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw")

    placed: set[Any] = set()

    async def take(stream: Any) -> None:
        async for event in stream.noack().events():
            count[0] += 1
            if worker is not None:
                if event.message.tp not in placed:
                    placed.add(event.message.tp)
                    await worker.places({TopicPartition(*event.message.tp)}, 1)
                await worker.add(_one(event.message))

    app.agent(channel, concurrency=1, name="take")(take)
    return app


def _one(message: Any) -> Fetched:
    one = Message(message.offset, int(message.timestamp * 1000), message.key, message.value)
    return Fetched(message.topic, message.partition, 1, message.offset, message.offset + 1, [one])
