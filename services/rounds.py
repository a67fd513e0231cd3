"""What is done again and again, the same by one process for all and by processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy.engine import Engine

from monitor.plan import Plan
from services.loops import Loops
from services.outbound.destination import Destination
from services.outbound.dispatcher import dispatch_due
from services.outbound.heartbeat import Heartbeat
from services.ports import Clock
from services.settings import settings
from services.store.partitions import prepare
from services.store.retention import forget

EVERY: Final = 1.0
"""Seconds between two rounds of evaluation, and of delivery when nothing is due."""

_FORGET_EVERY: Final = 60.0
_BEAT_EVERY: Final = 60.0
_PREPARE_EVERY: Final = 3_600.0


def evaluate(
    loops: Loops, engine: Engine, plan: Plan, clock: Clock, look: Callable[[], object], every: float = EVERY
) -> None:
    """Looks; now and then forgets what is over its time, and makes partitions ahead of it."""
    loops.every(every, "evaluation", look)
    loops.every(_FORGET_EVERY, "retention", lambda: forget(engine, clock(), plan.keep))
    loops.every(_PREPARE_EVERY, "partitions", lambda: prepare(engine, plan.widths, clock()))


def dispatch(
    loops: Loops, engine: Engine, plan: Plan, clock: Clock, known: Mapping[str, Destination], every: float = EVERY
) -> None:
    """Delivers, on and on as long as something was delivered; and beats, if somebody listens."""

    def deliver() -> None:
        while dispatch_due(engine, known, clock() / 1000, monotonic=loops.monotonic) and not loops.stop.is_set():
            pass

    loops.every(every, "dispatch", deliver)
    if url := settings().heartbeat:
        loops.every(_BEAT_EVERY, "heartbeat", Heartbeat(engine, plan, clock, url).beat)
