"""The processes of a run: production's worker, evaluator and dispatcher, each begun anew when it dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from monitor.watch import Watching
from services import rounds
from services.evaluate import Evaluator
from services.loops import Loops
from services.outbound.destination import Delivery
from services.stream.settings import StreamSettings
from services.stream.worker import Worker
from tests.sim.chaos import Chaos
from tests.sim.jobs import Stop, VirtualThreads, job
from tests.sim.loop import Loop, Process

TICK: Final = 0.25
HOOK: Final = "webhook:people"


class Receiver:
    """Who is told of alerts, and honours idempotency keys. `got` are the keys of what it was told."""

    def __init__(self, chaos: Chaos) -> None:
        self.got: Counter[str] = Counter()
        self._chaos = chaos

    def deliver(self, key: str, body: bytes, now: float) -> Delivery:
        """May fail before it has heard, or after."""
        self._chaos.point("delivery")
        if self._chaos.happens(0.2):
            return Delivery(False, "status 503")
        self.got[key] += 1
        self._chaos.note(f"delivered {key}")
        self._chaos.point("delivered")
        if self._chaos.happens(0.2):
            return Delivery(False, "no answer in time")
        return Delivery(True)


class VirtualLoops(Loops):
    """A process's loops as jobs of the run."""

    def __init__(self, engine: Engine, loop: Loop, process: Process) -> None:
        super().__init__(Stop(loop), engine, loop.time)
        sa.event.remove(engine, "after_cursor_execute", self._go_on)  # the engine outlives the process
        self._virtual = loop
        self._process = process

    def every(self, pause: float, name: str, work: Callable[[], object]) -> None:
        """As production's loops do it, for ever."""

        def go_on() -> None:
            self._loop(pause, name, work)
            self._virtual.failures.append(f"{self._process.name}: {self.problem}")

        job(self._virtual, self._process, go_on)


class Actors:
    """Starts processes. `now` is the store's clock."""

    def __init__(
        self, engine: Engine, loop: Loop, chaos: Chaos, plan: Plan, watching: Watching, now: Callable[[], int]
    ) -> None:
        self.receiver = Receiver(chaos)
        self._engine = engine
        self._loop = loop
        self._chaos = chaos
        self._plan = plan
        self._watching = watching
        self._now = now

    def worker(self, process: Process, log: Any, settings: StreamSettings) -> Worker:
        """A stream worker; whoever starts it gives it its reader."""
        threads = VirtualThreads(self._loop, process, lambda: self._chaos.point("work"))
        made = Worker(
            self._engine,
            self._plan,
            self._clock,
            log,
            settings,
            watching=self._watching,
            monotonic=self._loop.time,
            threads=threads,
        )
        self._loop.start(process, self._tick(process, made))
        return made

    def evaluator(self, process: Process, every: float) -> None:
        """An evaluator with the other rounds of its process."""
        loops = VirtualLoops(self._engine, self._loop, process)
        made = Evaluator(self._engine, self._plan, self._clock, (HOOK,), self._watching)
        rounds.evaluate(loops, self._engine, self._plan, self._clock, made.look, every)

    def dispatcher(self, process: Process, every: float) -> None:
        """A dispatcher."""
        loops = VirtualLoops(self._engine, self._loop, process)
        rounds.dispatch(loops, self._engine, self._plan, self._clock, {HOOK: self.receiver}, every)

    def _clock(self) -> int:
        self._chaos.point("clock")
        return self._now()

    async def _tick(self, process: Process, worker: Worker) -> None:
        while worker.problem is None:
            await worker.tick()
            await asyncio.sleep(TICK)
        self._loop.failures.append(f"{process.name}: {worker.problem}")
