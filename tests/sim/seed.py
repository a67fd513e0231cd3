"""One seed, from its number to what did not hold; the same number, the same run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.sim.chaos import Weather
from tests.sim.database import FOLDER, Place
from tests.sim.invariants import Outcome, broken, outcome
from tests.sim.remembered import remembered
from tests.sim.traffic import Written, written
from tests.sim.world import World

LOGS = 16
"""How many logs there are: seeds that have one in common share the undisturbed run."""


@dataclass(frozen=True)
class Result:
    """What a seed's run broke, and a name of all that happened in it."""

    seed: int
    broken: list[str]
    trace: list[str]

    @property
    def name(self) -> str:
        """Equal for equal runs."""
        return sha256("\n".join(self.trace).encode()).hexdigest()[:16]


@dataclass
class Simulation:
    """Runs seeds, one after the other."""

    place: Place
    _alone: dict[int, tuple[list[Written], Outcome]] = field(default_factory=dict)

    def run(self, seed: int) -> Result:
        """The disturbed run of a seed, held against the undisturbed one of its log."""
        log, alone = self.alone(seed)
        world = World(self.place, log, seed, Weather.drawn(random.Random(f"weather {seed}")))
        try:
            problems = world.run()
            problems = problems or broken(world.engine, world.actors.receiver.got, alone)
        finally:
            world.close()
        return Result(seed, problems, world.chaos.trace)

    def alone(self, seed: int) -> tuple[list[Written], Outcome]:
        """A seed's log, and what a run leaves of it that nothing disturbs."""
        number = seed % LOGS
        if number not in self._alone:
            log = written(number)
            world = World(self.place, log, number, None)
            try:
                problems = world.run()
                found = outcome(world.engine)
                problems = problems or broken(world.engine, world.actors.receiver.got, found)
                assert not problems, (number, problems)
                self._alone[number] = log, found
            finally:
                world.close()
        return self._alone[number]


@contextmanager
def simulation() -> Iterator[Simulation]:
    """A simulation with a place for its stores. What a check says of the same counts is computed once."""
    with TemporaryDirectory(dir=FOLDER, prefix="quantwatch-sim-") as folder, remembered():
        place = Place(Path(folder))
        yield Simulation(place)
        place.engine.dispose()
