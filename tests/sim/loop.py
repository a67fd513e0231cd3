"""Virtual time: one event loop for all processes, which jumps to what is next and lets a seed say whose turn it is.

Callbacks of one process run in their order, as in asyncio; between processes, the draw decides. What a process is
paused for comes when it wakes, and what belongs to a dead one never comes.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet


class Process:
    """Something that can be killed or paused as a whole. `name` stands in the trace; `weight` is how often it is."""

    def __init__(self, name: str, weight: float = 1.0) -> None:
        self.name = name
        self.weight = weight
        self.alive = True
        self.paused_until = 0.0
        self.jobs: dict[greenlet, None] = {}
        self.tasks: list[asyncio.Task[Any]] = []


OWNER: ContextVar[Process | None] = ContextVar("owner", default=None)


class Loop(asyncio.BaseEventLoop):
    """`failures` are what a process died of by itself, beyond what it is made to die of."""

    def __init__(self, draw: random.Random) -> None:
        super().__init__()
        self.failures: list[str] = []
        self.hub: greenlet = getcurrent()
        self._draw = draw
        self._now = 0.0
        self._count = 0
        self._ready: dict[Process | None, deque[asyncio.Handle]] = {}
        self._later: list[tuple[float, int, asyncio.Handle]] = []

    def time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        handle = asyncio.Handle(callback, args, self, context)
        self._put(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:  # type: ignore[override]
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._push(when, handle)
        return handle

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:  # type: ignore[override]
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Nothing in a process may fail where nobody sees it."""
        self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")

    def run_while(self, goes_on: Callable[[], bool]) -> None:
        """Runs until there is nothing to do, something failed, or `goes_on` says no."""
        self.hub = getcurrent()
        asyncio._set_running_loop(self)
        try:
            while not self.failures and goes_on() and self._turn():
                pass
        finally:
            asyncio._set_running_loop(None)

    def start(self, process: Process | None, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of a process."""
        context = copy_context()
        context.run(OWNER.set, process)
        task: asyncio.Task[Any] = self.create_task(work, context=context)
        if process is not None:
            process.tasks.append(task)
        task.add_done_callback(self._ended)
        return task

    def kill(self, process: Process) -> None:
        """Ends a process where it stands. If it is the one that runs, this does not return."""
        process.alive = False
        self._ready.pop(process, None)
        own = getcurrent()
        for job in list(process.jobs):
            if job is not own:
                job.throw(GreenletExit)
        for task in process.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine: Any = task.get_coro()
            if not coroutine.cr_running:
                coroutine.close()
        process.tasks.clear()
        if own in process.jobs:
            raise GreenletExit

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.failures.append(f"{task.exception()!r}")

    def _put(self, handle: asyncio.Handle) -> None:
        owner = handle._context.get(OWNER)  # type: ignore[attr-defined]
        if owner is None or owner.alive:
            self._ready.setdefault(owner, deque()).append(handle)

    def _push(self, when: float, handle: asyncio.Handle) -> None:
        self._count += 1
        heapq.heappush(self._later, (when, self._count, handle))

    def _turn(self) -> bool:
        """Runs one callback; False if there is none left."""
        while not self._ready:
            if not self._later:
                return False
            when, _, handle = heapq.heappop(self._later)
            if not handle.cancelled():
                self._now = max(self._now, when)
                self._put(handle)
        owners = list(self._ready)
        owner = owners[0] if len(owners) == 1 else self._draw.choice(owners)
        queue = self._ready[owner]
        handle = queue.popleft()
        if not queue:
            del self._ready[owner]
        if owner is not None and owner.paused_until > self._now:
            for each in (handle, *self._ready.pop(owner, ())):
                self._push(owner.paused_until, each)
        elif not handle.cancelled():
            handle._run()
        return True

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is skipped when its time comes."""
