"""What goes wrong in a run: drawn from the seed, at every point where code waits."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from services.errors import Unavailable
from tests.sim.jobs import wait
from tests.sim.loop import OWNER, Loop, Process


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad a run is: chances at a point, and how often in a second something happens to a whole process."""

    delay: float = 0.0
    crash: float = 0.0
    pause: float = 0.0
    refuse: float = 0.0
    lose_reply: float = 0.0
    rebalance: float = 0.0
    lose_run: float = 0.0

    @classmethod
    def drawn(cls, draw: random.Random) -> Weather:
        """Of each kind something, much or nothing, so that seeds differ in kind and not only in number."""

        def some(most: float) -> float:
            return draw.choice((0.0, most / 4, most))

        return cls(
            delay=draw.choice((0.02, 0.1)),
            crash=some(0.004),
            pause=some(0.005),
            refuse=some(0.01),
            lose_reply=some(0.2),
            rebalance=some(0.4),
            lose_run=some(0.1),
        )


@dataclass
class Chaos:
    """`until` is when it ends. `trace` grows by all that happens: equal traces are equal runs."""

    loop: Loop
    draw: random.Random
    weather: Weather
    until: float
    kill: Callable[[Process], None]
    trace: list[str] = field(default_factory=list)

    @property
    def rages(self) -> bool:
        """Whether it is not over."""
        return self.loop.time() < self.until

    def note(self, text: str) -> None:
        """Writes down that something happened."""
        owner = OWNER.get()
        self.trace.append(f"{self.loop.time():.4f} {owner.name if owner else '-'} {text}")

    def happens(self, chance: float) -> bool:
        """Draws."""
        return self.rages and chance > 0 and self.draw.random() < chance

    def point(self, what: str, weight: int = 1) -> None:
        """A point where a process waits: it may be late, stopped for a while, or dead.

        By `weight` it is likelier where it may do most harm: around commits, and in an evaluation.
        """
        owner = OWNER.get()
        if owner is None or not self.rages:
            return
        w = self.weather
        crash, pause = w.crash * weight * owner.weight, w.pause * weight * owner.weight
        at = self.draw.random()
        if at < crash:
            self.note(f"dies at {what}")
            self.kill(owner)
        elif at < crash + pause:
            owner.paused_until = self.loop.time() + self.draw.choice((0.5, 2.5, 5.0))
            self.note(f"is paused at {what}")
            wait(self.loop, 0.0)
        elif at < crash + pause + w.delay:
            self.note(f"is late at {what}")
            wait(self.loop, self.draw.choice((0.0, 0.05, 0.4)))

    def answers(self, who: str) -> None:
        """A point at which a peer is asked: it may say nothing."""
        self.point(who)
        if OWNER.get() is not None and self.happens(self.weather.refuse):
            self.note(f"hears nothing of {who}")
            raise Unavailable(f"{who} does not answer")
