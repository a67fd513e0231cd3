"""Delivers what the outbox holds: at least once, each with a key that never changes, patiently but not for ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from services.outbound.destination import Delivery, Destination
from services.store import outbox
from services.store.outbox import Letter

LEASE_SECONDS = 60.0
BATCH = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long delivery is tried: waits of `first` seconds, doubled each time up to `longest`, `attempts` in all."""

    first: float = 5.0
    longest: float = 3_600.0
    attempts: int = 30

    def wait(self, attempts: int, retry_after: float | None) -> float:
        """The seconds after that many failed attempts, and never less than the receiver asked for."""
        doubled: float = self.first * 2.0 ** min(attempts - 1, 60)
        return max(min(doubled, self.longest), retry_after or 0.0)


def dispatch_due(
    engine: Engine,
    destinations: Mapping[str, Destination],
    now: float,
    patience: Patience = Patience(),
    monotonic: Callable[[], float] = time.monotonic,
) -> int:
    """Attempts what is due at `now` (seconds) and returns how many were delivered.

    Destinations are served side by side, and one that fails is left alone until the next call, so none of them holds
    up the others. What is written for a destination that is no longer known becomes a dead letter.
    """
    with engine.connect() as connection:
        names = outbox.waiting(connection, int(now * 1000))
    if not names:
        return 0
    started = monotonic()

    def clock() -> float:
        return now + monotonic() - started

    if len(names) == 1:
        return _serve(engine, names[0], destinations.get(names[0]), clock, patience)
    with ThreadPoolExecutor(len(names), "dispatch") as pool:
        return sum(pool.map(lambda name: _serve(engine, name, destinations.get(name), clock, patience), names))


def _serve(
    engine: Engine, name: str, destination: Destination | None, clock: Callable[[], float], patience: Patience
) -> int:
    """Delivers to one destination until nothing is due, an attempt fails, or the batch is full."""
    delivered = 0
    for _ in range(BATCH):
        letter = _claim(engine, name, clock())
        if letter is None:
            break
        outcome = _attempt(destination, letter, clock())
        _settle(engine, letter, outcome, clock(), patience)
        delivered += outcome.delivered
        if not outcome.delivered and not outcome.final:
            break
    return delivered


def _attempt(destination: Destination | None, letter: Letter, now: float) -> Delivery:
    if destination is None:
        return Delivery(False, "no such destination", final=True)
    return destination.deliver(letter.key, letter.body.encode(), now)


def _claim(engine: Engine, name: str, now: float) -> Letter | None:
    with engine.connect().execution_options(writes=True) as connection:
        letter = outbox.claim(connection, name, int(now * 1000), int((now + LEASE_SECONDS) * 1000))
        connection.commit()
    return letter


def _settle(engine: Engine, letter: Letter, outcome: Delivery, now: float, patience: Patience) -> None:
    attempts = letter.attempts + 1
    dead = outcome.final or attempts >= patience.attempts
    state = outbox.DELIVERED if outcome.delivered else outbox.DEAD if dead else outbox.PENDING
    wait = 0.0 if state != outbox.PENDING else patience.wait(attempts, outcome.retry_after)
    with engine.connect().execution_options(writes=True) as connection:
        outbox.settle(connection, letter, state, int((now + wait) * 1000), outcome.error)
        connection.commit()
    if state == outbox.DEAD:
        _log.error(
            "gave up on %s for %s after %d attempts: %s", letter.key, letter.destination, attempts, outcome.error
        )
