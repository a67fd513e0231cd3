"""Running one worker on Faust: an app with one agent, no tables and no web server."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import Any, Final, Protocol

import faust
from aiokafka.structs import TopicPartition
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from services.errors import ServiceError
from services.ports import Clock
from services.runtime import Summary
from services.stream.cluster import Cluster
from services.stream.consumer import RunTransport
from services.stream.fetched import Fetched
from services.stream.settings import StreamSettings
from services.stream.worker import Reader, Worker

_TICK: Final = 0.05
_BUFFERED_RUNS: Final = 8
_SWITCH: Final = 0.0005
"""Seconds after which the thread that fetches gets its turn from the one that works. It waits twice for each piece of
a fetch that the socket brings, 256 KiB at most: at the interpreter's own 5 ms, that would be 26 MB a second."""


class Stream:
    """One worker, with the cluster that it asks."""

    def __init__(self, engine: Engine, plan: Plan, clock: Clock, settings: StreamSettings) -> None:
        self._settings = settings
        self._cluster = Cluster(settings.bootstrap)
        self.worker = Worker(engine, plan, clock, self._cluster, settings)

    def run(self, stop: threading.Event) -> Summary:
        """Takes the topics until `stop` is set; `ServiceError` with the reason if it cannot go on."""
        sys.setswitchinterval(_SWITCH)
        try:
            for topic in self._settings.topics:
                self._cluster.topic(topic)  # here, so that a wrong name is said at once
            with tempfile.TemporaryDirectory(prefix="quantwatch-stream-") as folder:
                asyncio.run(_run(self._settings, self.worker, stop, folder))
        finally:
            self._cluster.close()
        return self.worker.summary


async def _run(settings: StreamSettings, worker: Worker, stop: threading.Event, folder: str) -> None:
    app = stream_app(settings, worker, folder)
    await app.start()
    try:
        while not stop.is_set() and worker.problem is None and not app.should_stop:
            await worker.tick()
            await asyncio.sleep(_TICK)
    finally:
        await worker.finish()
        await app.stop()
    if worker.problem is not None:
        raise worker.problem
    if not stop.is_set():
        raise ServiceError(f"the consumer ended: {type(app.crash_reason).__name__}")


class Driven(Protocol):
    """What the app drives: a worker."""

    reader: Reader | None

    async def places(self, partitions: set[TopicPartition], seek: int) -> Mapping[TopicPartition, int]: ...

    async def add(self, run: Fetched) -> None: ...

    async def release(self) -> None: ...


def stream_app(settings: StreamSettings, worker: Driven, folder: str) -> Any:
    """The app that drives a worker; `folder` is where Faust may write what nobody reads."""
    servers = ";".join(f"kafka://{each}" for each in settings.bootstrap.split(","))
    app = faust.App(
        settings.group,
        broker=servers,
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=1,
        stream_wait_empty=False,
        stream_buffer_maxsize=_BUFFERED_RUNS,
        stream_recovery_delay=0.0,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / 6,
        broker_request_timeout=max(settings.session_timeout, 30.0),
        broker_rebalance_timeout=settings.session_timeout,
        consumer_metadata_max_age_ms=10_000,
    )
    app.transport = RunTransport(app.conf.broker_consumer, app)
    channel = app.topic(*settings.topics, key_type=bytes, value_type=bytes, value_serializer="raw", acks=False)

    async def take_in(stream: Any) -> None:
        async for event in stream.noack().events():
            await worker.add(event.value)

    app.agent(channel, concurrency=1, name="take_in")(take_in)
    app.on_partitions_revoked.connect(_release(worker), weak=False)
    consumer: Any = app.consumer
    consumer.places, worker.reader = worker.places, consumer
    return app


def _release(worker: Driven) -> Any:
    async def release(sender: Any, *_: Any, **__: Any) -> None:
        await worker.release()

    return release
