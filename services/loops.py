"""The loops of a process: work done again and again, each in a thread, until one cannot go on or all are to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from services.errors import GapError, ServiceError, UsageError

_log = logging.getLogger(__name__)

STUCK: Final = 300.0
"""Seconds without progress in a round after which a loop counts as stuck; its pauses may be longer."""

_STOPPING: Final = (GapError, UsageError)
"""What trying again does not mend."""


class Loops:
    """Safe to share between threads. `problem` is the reason of a loop that ended, None while all go on.

    What a loop asks of `engine` is its progress: a round may be long (a log of days, a first evaluation). Pauses are
    measured by `monotonic`.
    """

    def __init__(self, stop: threading.Event, engine: Engine, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.stop = stop
        self.monotonic = monotonic
        self.problem: str | None = None
        self._began: dict[str, float] = {}
        self._threads: list[threading.Thread] = []
        sa.event.listen(engine, "after_cursor_execute", self._go_on)

    def every(self, pause: float, name: str, work: Callable[[], object]) -> None:
        """Does `work` every `pause` seconds. What may pass (a database that is down) is tried again, for ever."""
        thread = threading.Thread(target=self._loop, args=(pause, name, work), name=name, daemon=True)
        self._threads.append(thread)

    def run(self) -> None:
        """Starts all loops and returns once they are to stop and have come to their ends."""
        for thread in self._threads:
            thread.start()
        self.stop.wait()
        for thread in self._threads:
            thread.join(timeout=10)

    def stuck(self) -> str | None:
        """The loop that does not get on with its round, with its seconds; None where there is none."""
        now = self.monotonic()
        late = ((name, now - began) for name, began in list(self._began.items()))
        return next((f"{name} has not got on for {s:.0f} s" for name, s in late if s > STUCK), None)

    def _go_on(self, *_: object) -> None:
        """A statement was executed by one of the threads of this process."""
        name = threading.current_thread().name
        if name in self._began:
            self._began[name] = self.monotonic()

    def _loop(self, pause: float, name: str, work: Callable[[], object]) -> None:
        said: str | None = None
        while not self.stop.is_set():
            self._began[name] = started = self.monotonic()
            try:
                work()
                said = None
            except _STOPPING as error:
                self._fail(str(error))
            except (ServiceError, DBAPIError) as error:
                reason = str(error) if isinstance(error, ServiceError) else f"the database: {error.orig}"
                if reason != said:
                    _log.warning("%s: %s; trying again", name, reason)
                said = reason
            except Exception as error:
                self._fail(f"{type(error).__name__} in {name}")
                _log.error("%s stopped by %s", name, type(error).__name__, exc_info=error)
            self._began.pop(name)
            self.stop.wait(max(0.0, pause - (self.monotonic() - started)))

    def _fail(self, problem: str) -> None:
        self.problem = self.problem or problem
        self.stop.set()
