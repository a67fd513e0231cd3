"""One run: a log that is written, workers, evaluators and dispatchers, and what goes wrong; until all is told."""

from __future__ import annotations

import asyncio
import random
from contextvars import Context
from dataclasses import replace
from typing import Final

from monitor.outcomes import Judge
from monitor.plan import Plan
from monitor.signals.structure import Structure
from monitor.watch import Watch
from services.stream.settings import StreamSettings
from tests.sim.actors import Actors
from tests.sim.chaos import Chaos, Weather
from tests.sim.database import Place, Server
from tests.sim.group import Group
from tests.sim.invariants import settled, stale_passes
from tests.sim.log import MemoryLog
from tests.sim.loop import Loop, Process
from tests.sim.reader import MemoryReader
from tests.sim.traffic import BEGIN, PARTITIONS, PLAN, SPAN, Written

CALM: Final = SPAN + 4.0
"""From then on nothing goes wrong any more, so that a run comes to an end."""
LONGEST: Final = 200.0
SETTINGS: Final = StreamSettings(
    "memory", "requests", batch_records=25, batch_seconds=1.0, feedback_wait=0.5, reject_limit=0
)
_WEIGHTS: Final = {"worker": 0.6, "evaluator": 2.0, "dispatcher": 2.0}
"""Looks and letters are few, and as much can go wrong with each as with a batch."""
LOOK_EVERY: Final = 2.0
SEND_EVERY: Final = 2.5


class Few(Watch):
    """Watches three signals: whether there is JSON, whether it follows its schema, and tool calls."""

    def __init__(self, name: str, plan: Plan, epochs: object = ()) -> None:
        super().__init__(name, plan, epochs)  # type: ignore[arg-type]
        structure = next(family for family in self.families if isinstance(family, Structure))
        self.families = (structure,)
        self.judge = Judge(self.families, {})


class World:
    """A run of one log in some weather. `problem` says what did not go as it should while it ran."""

    def __init__(self, place: Place, log: list[Written], seed: int, weather: Weather | None) -> None:
        self.draw = random.Random(f"schedule {seed}")
        self.loop = Loop(self.draw)
        self.chaos = Chaos(self.loop, self.draw, weather or Weather(), CALM if weather else 0.0, self._kill)
        self.server = Server(place, self.loop, self.chaos)
        self.engine = self.server.engine
        self.log = MemoryLog(lambda: self.chaos.answers("the broker"))
        second = any(record.topic == "feedback" for record in log)
        self.settings = replace(SETTINGS, feedback="feedback" if second else None)
        for topic in self.settings.topics:
            self.log.create(topic, PARTITIONS)
        self.group = Group(self.loop, self.draw, self.settings.topics, PARTITIONS)
        self.actors = Actors(self.engine, self.loop, self.chaos, PLAN, Few, self._now)
        self.false_passes: list[str] = []
        self._written = log
        self._over = False
        self._processes: dict[str, Process] = {}
        starts = {
            "worker": self._start_worker,
            "evaluator": self._start_evaluator,
            "dispatcher": self._start_dispatcher,
        }
        several = {role: 1 if weather is None else self.draw.choice((1, 2, 2, 2)) for role in starts}
        self._roles = {f"{role} {n}": start for role, start in starts.items() for n in range(several[role])}

    def run(self) -> list[str]:
        """Runs to the end; what went wrong that should not."""
        for record in self._written:
            self.loop.call_at(record.at, self._append, record)
        for work in (self.group.watch(), self._disturb(), self._ask()):
            self.loop.start(None, work)
        for name in self._roles:
            self._start(name)
        self.loop.run_while(lambda: self.loop.time() < LONGEST and not self._over)
        for process in self._processes.values():
            self.loop.kill(process)
        late = [] if self._over or self.loop.failures else ["it did not come to its end"]
        return self.loop.failures + self.false_passes + late

    def _now(self) -> int:
        return int((BEGIN + self.loop.time()) * 1000)

    def _append(self, record: Written) -> None:
        self.log.append(record.topic, record.partition, int((BEGIN + record.at) * 1000), record.value)

    def _start(self, name: str) -> None:
        self.chaos.note(f"{name} starts")
        process = self._processes[name] = Process(name, _WEIGHTS[name.split()[0]])
        self._roles[name](process)

    def _start_worker(self, process: Process) -> None:
        worker = self.actors.worker(process, self.log, self.settings)
        reader = MemoryReader(
            self.log,
            worker,
            most=self.draw.choice((12, 25, 60)),
            loses=lambda: self.chaos.happens(self.chaos.weather.lose_run),
            pause=lambda: self.draw.choice((0.4, 0.8, 1.5)),
        )
        worker.reader = reader
        self.loop.start(process, reader.fetch())
        self.loop.start(process, reader.deliver())
        self.group.join(process, reader)

    def _start_evaluator(self, process: Process) -> None:
        self.actors.evaluator(process, LOOK_EVERY)

    def _start_dispatcher(self, process: Process) -> None:
        self.actors.dispatcher(process, SEND_EVERY)

    def _kill(self, process: Process) -> None:
        again = self.draw.choice((0.1, 0.5, 2.0))
        self.loop.call_later(again, self._start, process.name, context=Context())  # not the dead one's
        self.loop.kill(process)

    async def _disturb(self) -> None:
        """Shares the partitions out anew now and then, for no reason."""
        while self.chaos.rages:
            await asyncio.sleep(1.0)
            if self.chaos.happens(self.chaos.weather.rebalance):
                self.chaos.note("rebalance")
                self.group.share(slowly=True)

    async def _ask(self) -> None:
        """Asks as a controller does, and looks whether all is done."""
        over = False
        while not over:
            await asyncio.sleep(LOOK_EVERY)
            with self.engine.connect() as connection:
                self.false_passes += stale_passes(connection, self.log, self.loop.time())
                over = self.loop.time() > CALM and settled(connection, self.log)
        self._over = True

    def close(self) -> None:
        """Lets go of the store."""
        self.server.close()
        self.loop.close()
