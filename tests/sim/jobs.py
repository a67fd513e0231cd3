"""Work that does not know of the loop: run in a greenlet, so that it can be stopped wherever it waits."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from services.stream.threads import Threads
from tests.sim.loop import OWNER, Loop, Process

T = TypeVar("T")


def job(loop: Loop, process: Process, call: Callable[[], object]) -> None:
    """Begins a piece of work of a process."""

    def body() -> None:
        try:
            call()
        except GreenletExit:
            raise
        except BaseException as error:
            loop.failures.append(f"{process.name}: {error!r}")
        finally:
            process.jobs.pop(made, None)

    made = greenlet(body, parent=loop.hub)
    context = copy_context()
    context.run(OWNER.set, process)
    made.gr_context = context
    process.jobs[made] = None
    loop.call_soon(made.switch, context=context.copy())


def wait(loop: Loop, seconds: float) -> None:
    """Lets others go on for so long. Only inside a job; does not return if the process dies meanwhile."""
    own, context = getcurrent(), copy_context()
    loop.call_at(loop.time() + seconds, own.switch, context=context)
    loop.hub.switch()


class Stop(threading.Event):
    """An event whose time-outs are virtual; nobody sets it but the loops themselves."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for all of the time."""
        wait(self._loop, timeout or 0.0)
        return self.is_set()


class VirtualThreads(Threads):
    """The worker's two threads, as two queues of jobs."""

    def __init__(self, loop: Loop, process: Process, before: Callable[[], None]) -> None:
        self._loop = loop
        self._process = process
        self._before = before
        self._lines: dict[str, deque[Callable[[], None]]] = {"work": deque(), "ask": deque()}

    def work(self, call: Callable[..., T], *arguments: object) -> Awaitable[T]:
        return self._enter("work", call, arguments)

    def ask(self, call: Callable[..., T], *arguments: object) -> Awaitable[T]:
        return self._enter("ask", call, arguments)

    def close(self) -> None:
        """Nothing to end."""

    def _enter(self, name: str, call: Callable[..., Any], arguments: tuple[object, ...]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        line = self._lines[name]

        def run() -> None:
            try:
                self._before()
                found = call(*arguments)
                self._before()
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(found)
            line.popleft()
            if line:
                job(self._loop, self._process, line[0])

        line.append(run)
        if len(line) == 1:
            job(self._loop, self._process, run)
        return future
