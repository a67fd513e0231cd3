"""Traffic in real time: conversations arrive, a build answers them in batches, the log goes to the intake."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from itertools import count

import msgspec

from monitor.model import Event, Load, Output, Timings
from services.simulate.arrivals import arrivals
from services.simulate.users import Conversation, Users

Generate = Callable[[str, list[Event]], list[Output]]
Send = Callable[[list[Event]], None]

BATCH = 16


class Traffic:
    """A served deployment: `variant` is the build that answers now, and may be changed at any time.

    `generate` answers (the real build), `send` takes the log. `served` counts the answered requests.
    """

    def __init__(self, users: Users, generate: Generate, send: Send, variant: str, per_second: float) -> None:
        self.users = users
        self.variant = variant
        self.served = 0
        self._generate = generate
        self._send = send
        self._arrivals: Iterator[float] = arrivals(per_second)
        self._waiting: list[tuple[float, int, Conversation]] = []
        self._order = count()
        self._began = time.monotonic()
        self._next = next(self._arrivals)

    def restart(self) -> None:
        """Time begins now: what would have arrived while the builds were loading does not."""
        self._began = time.monotonic()

    def run_once(self) -> None:
        """Answers and logs what is due; waits a moment if nothing is."""
        now = time.monotonic() - self._began
        while self._next <= now:
            self._wait(self.users.begin(self._next))
            self._next = next(self._arrivals)
        due = self._due(now)
        if not due:
            time.sleep(0.05)
            return
        self._answer(due, now)

    def _wait(self, conversation: Conversation) -> None:
        heapq.heappush(self._waiting, (conversation.due, next(self._order), conversation))

    def _due(self, now: float) -> list[Conversation]:
        due: list[Conversation] = []
        while self._waiting and self._waiting[0][0] <= now and len(due) < BATCH:
            due.append(heapq.heappop(self._waiting)[2])
        return due

    def _answer(self, due: list[Conversation], now: float) -> None:
        """One batch through the build; the log says how long each request waited and took."""
        variant, asked = self.variant, time.time()
        load = Load(running=len(due), waiting=len(self._waiting))
        events = [self.users.ask(conversation, variant, asked) for conversation in due]
        outputs = self._generate(variant, events)
        took = (time.time() - asked) * 1000
        logged = []
        for conversation, event, output in zip(due, events, outputs, strict=True):
            queued = max(0.0, now - conversation.due) * 1000
            timings = Timings(queue=queued, total=queued + took)
            tokens = len(output.token_ids) or None
            logged.append(
                msgspec.structs.replace(event, output=output, timings=timings, load=load, completion_tokens=tokens)
            )
        self._send(logged)
        self.served += len(logged)
        spoken = time.monotonic() - self._began
        for conversation, event in zip(due, logged, strict=True):
            if self.users.hear(conversation, event, spoken):
                self._wait(conversation)
