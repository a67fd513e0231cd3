"""Two threads beside the event loop: one works on the database and the core, one asks the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """Each of the two does one thing after the other; a cluster that does not answer holds up no work."""

    def __init__(self) -> None:
        self._working = ThreadPoolExecutor(1, "work")
        self._asking = ThreadPoolExecutor(1, "ask")

    def work(self, call: Callable[..., T], *arguments: object) -> Awaitable[T]:
        """Calls it in the thread that works."""
        return asyncio.get_running_loop().run_in_executor(self._working, call, *arguments)

    def ask(self, call: Callable[..., T], *arguments: object) -> Awaitable[T]:
        """Calls it in the thread that asks."""
        return asyncio.get_running_loop().run_in_executor(self._asking, call, *arguments)

    def close(self) -> None:
        """Ends both, once what they do is done."""
        self._working.shutdown()
        self._asking.shutdown(cancel_futures=True)
