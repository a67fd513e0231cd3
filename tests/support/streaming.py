"""The stream's consumer beside a test: an app in a thread, and a worker that only writes down what comes."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiokafka.structs import TopicPartition

from services.stream.fetched import Fetched
from services.stream.run import stream_app
from services.stream.settings import StreamSettings
from services.stream.worker import Reader

Places = Mapping[TopicPartition, int]


class Listener:
    """Stands where a worker does. `at` is what it says of positions: a number for all, or a mapping of some."""

    def __init__(self, at: int | Places = 0) -> None:
        self.reader: Reader | None = None
        self.at = at
        self.runs: list[Fetched] = []
        self.asked: list[tuple[int, frozenset[TopicPartition]]] = []
        self.released = 0
        self.open = True

    async def places(self, partitions: set[TopicPartition], seek: int) -> Places:
        """What the test says."""
        self.asked.append((seek, frozenset(partitions)))
        if isinstance(self.at, int):
            return dict.fromkeys(partitions, self.at)
        return {tp: offset for tp, offset in self.at.items() if tp in partitions}

    async def add(self, run: Fetched) -> None:
        """Writes it down, and waits while the test says so."""
        self.runs.append(run)
        while not self.open:
            await asyncio.sleep(0.01)

    async def release(self) -> None:
        """Counts."""
        self.released += 1

    def of(self, topic: str, partition: int = 0) -> list[Fetched]:
        """The runs of one partition."""
        return [run for run in self.runs if (run.topic, run.partition) == (topic, partition)]

    def values(self, topic: str, partition: int = 0) -> list[bytes]:
        """The values of one partition, in the order in which they came."""
        return [message.value for run in self.of(topic, partition) for message in run.messages]


class Driving:
    """An app that runs in a thread; `do` has its loop do something."""

    def __init__(self, settings: StreamSettings, listener: Any) -> None:
        self._settings = settings
        self._listener = listener
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.app: Any = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine in the app's loop."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def start(self) -> None:
        """Returns once the app has started; it joins the group afterwards."""
        self._thread.start()
        assert self._ready.wait(30)

    def close(self) -> None:
        """Leaves the group and ends."""
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.loop = asyncio.get_running_loop()
            self.app = stream_app(self._settings, self._listener, folder)
            await self.app.start()
            self._ready.set()
            while not self._stop.is_set():
                await asyncio.sleep(0.02)
            await self.app.stop()


@contextmanager
def driving(settings: StreamSettings, listener: Any) -> Iterator[Driving]:
    """An app beside the test, ended with it."""
    app = Driving(settings, listener)
    app.start()
    try:
        yield app
    finally:
        app.close()


def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits until it holds; fails if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.02)
